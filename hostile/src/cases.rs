//! The attacks, by the ids of the list of hostile cases.
//!
//! Owns: under which limits each runs, and the ends that are right for it. `c` processor and liveness, `m`
//! memory, `a` lies about the canonical ABI, `h` handles, `f` files, `n` network, `t` time and chance, `o` output, `b`
//! components that should not compile, `s` other tenants.

use std::time::Duration;

use pframe_core::fault::Code;

use crate::attacks::{
    a01, a04, a05, a09, a12, a13, a16, a16_outside, a21, a21_honest, b01, b03, b06, b09, b16, b19,
    b21, b23, c01, c02, c03, c04, c11, c12, c14, c15, c16, c17, f02, h01, h02, h03, h05, h18, m01,
    m02, m04, m04_start, m05, m08, m09, n01, o01, o04, o05, o10, s01, s05, t01,
};

/// An attack.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// Its id and name: `c01_a_loop_in_the_handler`.
    pub name: &'static str,
    /// Components, each an attack of its own with the same end.
    pub variants: fn() -> Vec<Vec<u8>>,
    /// What it runs under.
    pub bounds: Bounds,
    /// How it must end.
    pub ends: Ends,
}

/// Limits of an attack.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Of one attempt.
    pub timeout: Duration,
    /// Units of fuel, if they are limited.
    pub fuel: Option<u64>,
    /// Processor time, if it is limited.
    pub cpu: Option<Duration>,
    /// Bytes of memory, if they are fewer than usual.
    pub memory: Option<u64>,
    /// Bytes of output, if they are fewer than usual.
    pub output: Option<u64>,
}

/// Right ends of an attack.
#[derive(Debug, Clone, Copy)]
pub enum Ends {
    /// Refused, or ended, with one of these codes.
    With(&'static [Code]),
    /// Harmless, with this output.
    Writing(&'static str),
}

const USUAL: Bounds = Bounds {
    timeout: Duration::from_millis(300),
    fuel: None,
    cpu: None,
    memory: None,
    output: None,
};

const fn case(name: &'static str, variants: fn() -> Vec<Vec<u8>>, ends: Ends) -> Case {
    Case { name, variants, bounds: USUAL, ends }
}

const fn bounded(case: Case, bounds: Bounds) -> Case {
    Case { bounds, ..case }
}

use Ends::{With, Writing};

/// Every attack of the list.
pub const CASES: &[Case] = &[
    case("c01_a_loop_in_the_handler", c01, With(&[Code::Deadline])),
    bounded(
        case("c01_a_loop_with_a_fuel_limit", c01, With(&[Code::Fuel])),
        Bounds { fuel: Some(1_000_000), ..USUAL },
    ),
    bounded(
        case("c01_a_loop_with_a_limit_of_processor_time", c01, With(&[Code::Cpu])),
        Bounds { cpu: Some(Duration::from_millis(50)), ..USUAL },
    ),
    case("c02_a_loop_in_the_start_function", c02, With(&[Code::Deadline])),
    bounded(
        case("c02_a_start_function_burns_fuel_too", c02, With(&[Code::Fuel])),
        Bounds { fuel: Some(1_000_000), ..USUAL },
    ),
    case("c03_a_loop_in_the_allocator_that_the_host_calls", c03, With(&[Code::Deadline])),
    case("c04_a_loop_after_the_return", c04, With(&[Code::Deadline])),
    case("c11_bulk_operations_over_the_whole_memory", c11, With(&[Code::Deadline])),
    bounded(
        case("c12_growing_by_a_huge_step_mints_no_fuel", c12, With(&[Code::Fuel])),
        Bounds { fuel: Some(100_000), ..USUAL },
    ),
    bounded(
        case("c14_cheap_calls_that_cost_the_host_burn_fuel", c14, With(&[Code::Fuel])),
        Bounds { fuel: Some(100_000), ..USUAL },
    ),
    bounded(
        case("c14_cheap_calls_that_cost_the_host_take_processor_time", c14, With(&[Code::Cpu])),
        Bounds { cpu: Some(Duration::from_millis(50)), ..USUAL },
    ),
    case("c15_h14_calling_out_while_the_host_calls_in", c15, With(&[Code::Trap])),
    case("c16_sleeping_for_ever", c16, With(&[Code::Deadline])),
    case("c17_polling_what_is_ready_for_ever", c17, With(&[Code::Deadline])),
    bounded(
        case("m01_growing_for_ever", m01, With(&[Code::Memory])),
        Bounds { memory: Some(10 << 20), ..USUAL },
    ),
    case("m02_a_memory_that_starts_at_4_gib", m02, With(&[Code::Memory])),
    case("m04_tables_without_end", m04, With(&[Code::Tables])),
    case(
        "m04_a_table_that_starts_with_all_elements",
        m04_start,
        With(&[Code::Tables, Code::Instances, Code::CompileFailed]),
    ),
    case("m05_more_memories_than_a_component_may_have", m05, With(&[Code::Instances])),
    bounded(
        case(
            "m08_a_hundred_thousand_pieces_of_data",
            m08,
            With(&[
                Code::CompileLimit,
                Code::CompileFailed,
                Code::ComponentMalformed,
                Code::Instances,
            ]),
        ),
        USUAL,
    ),
    case(
        "m09_m11_recursion_with_a_host_call_at_every_depth",
        m09,
        With(&[Code::StackOverflow, Code::Memory]),
    ),
    case("a01_a03_texts_outside_of_memory_or_too_long", a01, With(&[Code::Trap])),
    case("a04_results_that_are_misaligned_or_outside", a04, With(&[Code::Trap])),
    case("a05_texts_that_are_not_utf8", a05, With(&[Code::Trap])),
    case("a09_an_allocator_that_lies", a09, With(&[Code::Trap])),
    case("a12_a_trap_after_the_return", a12, With(&[Code::Trap])),
    case("a13_cases_that_do_not_exist", a13, With(&[Code::Trap])),
    case("a16_a_piece_of_output_that_is_far_too_large", a16, With(&[Code::HostcallData])),
    case("a16_pieces_of_output_outside_of_memory", a16_outside, With(&[Code::Trap])),
    case("a21_texts_between_two_components_arrive", a21_honest, Writing("")),
    case("a21_texts_that_lie_between_two_components", a21, With(&[Code::Trap])),
    case("h01_forged_and_freed_handles", h01, With(&[Code::Trap])),
    case("h02_a_handle_of_another_kind", h02, With(&[Code::Trap])),
    case("h03_handles_without_end", h03, With(&[Code::Handles])),
    case("h05_a_borrow_that_is_kept_past_the_call", h05, With(&[Code::Trap])),
    case("h18_polling_nothing", h18, With(&[Code::Trap])),
    case("f02_no_directory_is_handed_over_unasked", f02, Writing("")),
    case("n01_a_socket_is_denied_by_the_interfaces_own_error", n01, Writing("")),
    case("s05_the_environment_is_empty", s05, Writing("")),
    case("t01_a_tebibyte_of_random_bytes", t01, With(&[Code::Random])),
    bounded(
        case("o01_output_without_end", o01, With(&[Code::Output])),
        Bounds { output: Some(1 << 20), ..USUAL },
    ),
    case("o04_more_zeroes_than_a_stream_takes", o04, With(&[Code::Trap])),
    case("o05_more_bytes_than_a_stream_takes", o05, With(&[Code::Trap, Code::HostcallData])),
    case("o10_ending_before_there_is_a_result", o10, With(&[Code::NoResult])),
    case("s01_an_instance_finds_nothing_of_the_one_before", s01, Writing("0")),
    case(
        "b01_components_that_are_cut_short",
        b01,
        With(&[Code::ComponentMalformed, Code::NotAComponent, Code::ExportMissing]),
    ),
    case(
        "b03_b04_files_that_are_no_components",
        b03,
        With(&[Code::NotAComponent, Code::ComponentMalformed]),
    ),
    case("b06_b07_unknown_imports", b06, With(&[Code::ImportUnknown])),
    case(
        "b09_a_hundred_thousand_imports_and_names_of_a_hundred_kilobytes",
        b09,
        With(&[
            Code::ComponentMalformed,
            Code::ImportUnknown,
            Code::CompileLimit,
            Code::CompileFailed,
        ]),
    ),
    case("b16_instances_that_double", b16, With(&[Code::Instances])),
    case(
        "b19_a_table_of_ten_million_functions",
        b19,
        With(&[Code::Tables, Code::Instances, Code::ComponentMalformed, Code::CompileFailed]),
    ),
    case("b21_debugging_data_that_is_a_bomb", b21, Writing("canary")),
    case(
        "b23_c09_m03_m14_features_that_are_off",
        b23,
        With(&[Code::FeatureUnsupported, Code::ComponentMalformed]),
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_case_has_a_name_of_its_own_and_components_that_can_be_made() {
        let names: BTreeSet<&str> = CASES.iter().map(|case| case.name).collect();
        assert_eq!(names.len(), CASES.len());
        for case in CASES {
            assert!(!(case.variants)().is_empty(), "{}", case.name);
        }
    }
}
