//! The program `pframe-host`.

fn main() -> std::process::ExitCode {
    pframe_host::cli::main()
}
