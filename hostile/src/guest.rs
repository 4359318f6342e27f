//! Components that no compiler would make: core WebAssembly in a component that is otherwise honest.
//!
//! Owns: the honest part (imports, memory, lifting), so that a case is the few lines that lie.
//! Never: checks what it makes; the host must.
//!
//! The core module `$main` may import `libc.memory`, `libc.realloc` and the host's functions `host.size`,
//! `host.read`, `host.job-id`, `host.write`, `host.drop`. It exports `run`: chunk, parameters (pointer, length) to a
//! pointer to the result: byte 0 is 1 for a failure, byte 4 its case, 8 and 12 its text. Address 64 holds zeroes, a
//! result that is `ok`. A chunk that is not given back by `host.drop` is a violation in itself.

/// A component in the making.
#[derive(Debug, Clone)]
pub struct Guest {
    libc: String,
    main: String,
    options: String,
    before: String,
    host: String,
    run_type: String,
}

/// Hands out memory from 4096 up, and grows it as needed.
const LIBC: &str = r#"
    (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at
        (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -16)))
      (global.set $next (i32.add (local.get $at) (local.get 3)))
      (block $enough
        (br_if $enough
          (i32.le_u (global.get $next) (i32.mul (memory.size) (i32.const 65536))))
        (drop (memory.grow
          (i32.add (i32.shr_u (local.get 3) (i32.const 16)) (i32.const 1)))))
      (local.get $at))"#;

impl Guest {
    /// A guest whose main module has these fields.
    pub fn new(main: &str) -> Self {
        Self {
            libc: LIBC.into(),
            main: main.into(),
            options: String::new(),
            before: String::new(),
            host: String::new(),
            run_type: r#"(param "chunk" (borrow $chunk)) (param "parameters" string) (result (result (error $failure)))"#.into(),
        }
    }

    /// A guest whose function `run` has this body, and then gives the chunk back and returns `ok`.
    pub fn running(body: &str) -> Self {
        Self::new(&format!(
            r#"{IMPORTS}
            (func (export "run") (param $chunk i32) (param $text i32) (param $length i32) (result i32)
              {body}
              (call $drop (local.get $chunk))
              (i32.const 64))"#
        ))
    }

    /// With another module for memory and allocation; it may import `early.size`.
    pub fn libc(mut self, fields: &str) -> Self {
        self.libc = fields.into();
        self
    }

    /// With a function of the main module to call after `run`.
    pub fn post_return(mut self, function: &str) -> Self {
        self.options.push_str(&format!("(post-return (core func $main \"{function}\"))"));
        self
    }

    /// With more in the component, before the main module.
    pub fn before(mut self, text: &str) -> Self {
        self.before.push_str(text);
        self
    }

    /// With one more function for the main module to import from `host`; `before` defines it.
    pub fn host(mut self, name: &str, function: &str) -> Self {
        self.host.push_str(&format!("(export \"{name}\" (func {function}))"));
        self
    }

    /// With another type for `run`.
    pub fn run_type(mut self, text: &str) -> Self {
        self.run_type = text.into();
        self
    }

    /// The text of the component.
    pub fn text(&self) -> String {
        let Self { libc, main, options, before, host, run_type } = self;
        format!(
            r#"(component
  {HONEST}
  (core func $size (canon lower (func $input "[method]chunk.size")))
  (core instance $early (export "size" (func $size)))
  (core module $libc {libc})
  (core instance $libc (instantiate $libc (with "early" (instance $early))))
  (core func $job-id (canon lower (func $input "[method]chunk.job-id")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core func $read (canon lower (func $input "[method]chunk.read")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core func $write (canon lower (func $output "write")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core func $drop (canon resource.drop $chunk))
  {before}
  (core instance $host
    (export "size" (func $size)) (export "job-id" (func $job-id)) (export "read" (func $read))
    (export "write" (func $write)) (export "drop" (func $drop)) {host})
  (core module $main {main})
  (core instance $main (instantiate $main
    (with "libc" (instance $libc)) (with "host" (instance $host))))
  (func $run {run_type}
    (canon lift (core func $main "run")
      (memory (core memory $libc "memory")) (realloc (core func $libc "realloc")) {options}))
  (instance $handler (export "run" (func $run)))
  (export "pframe:task/handler@0.1.0" (instance $handler)))"#
        )
    }

    /// The component.
    ///
    /// # Panics
    ///
    /// Where the text does not parse.
    pub fn bytes(&self) -> Vec<u8> {
        component(&self.text())
    }
}

/// A component from its text.
///
/// # Panics
///
/// Where the text does not parse.
#[track_caller]
pub fn component(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// What a main module may import; the names are those of the functions.
pub const IMPORTS: &str = r#"
    (import "libc" "memory" (memory 0))
    (import "libc" "realloc" (func $realloc (param i32 i32 i32 i32) (result i32)))
    (import "host" "size" (func $size (param i32) (result i64)))
    (import "host" "job-id" (func $job-id (param i32 i32)))
    (import "host" "read" (func $read (param i32 i64 i32 i32)))
    (import "host" "write" (func $write (param i32 i32 i32)))
    (import "host" "drop" (func $drop (param i32)))"#;

/// The imports of an honest handler.
const HONEST: &str = r#"
  (import "pframe:task/types@0.1.0" (instance $types
    (type $f (variant
      (case "invalid-input" string) (case "transient" string) (case "permanent" string)))
    (export "failure" (type (eq $f)))
    (type $r (variant
      (case "out-of-range") (case "too-long") (case "input-changed") (case "io" string)))
    (export "read-error" (type (eq $r)))))
  (alias export $types "failure" (type $failure))
  (alias export $types "read-error" (type $read-error))
  (import "pframe:task/input@0.1.0" (instance $input
    (alias outer 1 $read-error (type $r))
    (export "read-error" (type $read-error (eq $r)))
    (export "chunk" (type $chunk (sub resource)))
    (export "[method]chunk.job-id" (func (param "self" (borrow $chunk)) (result string)))
    (export "[method]chunk.size" (func (param "self" (borrow $chunk)) (result u64)))
    (export "[method]chunk.read" (func (param "self" (borrow $chunk))
      (param "offset" u64) (param "length" u32)
      (result (result (list u8) (error $read-error)))))))
  (import "pframe:task/output@0.1.0" (instance $output
    (export "write" (func (param "bytes" (list u8)) (result (result (error string)))))))
  (alias export $input "chunk" (type $chunk))"#;
