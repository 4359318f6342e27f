use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::job_file;
use crate::document::{Problems, read};
use crate::fault::Code;
use crate::jobfile::{self, keys};

const EXAMPLE: &str = include_str!("../../tests/jobfile/example.yaml");

fn tree(text: &str) -> Json {
    let mut problems = Problems::new("file", Code::JobFile);
    let root = read(text.as_bytes(), &mut problems).unwrap_or_else(|| panic!("{problems}"));
    root.to_json().unwrap()
}

#[test]
fn every_key_of_the_checker_is_in_the_schema_and_the_other_way_round() {
    let schema = job_file();
    for (name, section) in keys::SECTIONS {
        let properties = schema["$defs"][name]["properties"].as_object();
        let described: BTreeSet<&str> =
            properties.unwrap_or_else(|| panic!("{name}")).keys().map(String::as_str).collect();
        assert_eq!(described, section.keys.iter().copied().collect(), "{name}");
    }
}

#[test]
fn every_mapping_refuses_unknown_keys_and_every_key_has_a_description() {
    let schema = job_file();
    for (name, _) in keys::SECTIONS {
        let definition = &schema["$defs"][name];
        assert_eq!(definition["additionalProperties"], false, "{name}");
        for (key, described) in definition["properties"].as_object().unwrap() {
            assert!(described["description"].is_string(), "{name}.{key}");
        }
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn walk(node: &Json, schema: &Json) {
        match node {
            Json::Object(members) => {
                if let Some(Json::String(target)) = members.get("$ref") {
                    assert!(schema.pointer(&target[1..]).is_some(), "{target}");
                }
                members.values().for_each(|member| walk(member, schema));
            }
            Json::Array(items) => items.iter().for_each(|item| walk(item, schema)),
            _ => {}
        }
    }
    let schema = job_file();
    walk(&schema, &schema);
}

#[test]
fn the_example_of_the_design_fits_the_schema() {
    assert_eq!(misfit(&job_file(), &job_file(), &tree(EXAMPLE)), None);
}

#[test]
fn the_schema_and_the_checker_agree() {
    let job = "version: 1\njobs: [{ id: a, task_type: t, input_data: { text: x }, ";
    for (rest, fits) in [
        ("}]", true),
        ("priority: 5, timeout: 1.5, deadline: 2h, tenant: null }]", true),
        (
            "limits: { memory: 1MiB, disk: 0, fuel: 5 }, chunking: { strategy: time, length: 60 } }]",
            true,
        ),
        ("resource_requirements: { cpu_cores: 0.5, gpu_memory: 0 } }]", true),
        ("grants: [ clock, env: LANG ] }]", true),
        ("grants: [ 'keyvalue: cache', keyvalue: cache ] }]", true),
        ("grants: [ 'write: results', dir: a ] }]", true),
        ("on_failure: continue, max_failed_chunks: 1% }]", true),
        ("priority: high }]", false),
        ("priority: 5000 }]", false),
        ("timout: 5 }]", false),
        ("limits: { memory: 5 } }]", false),
        ("limits: { timeout: 5 } }]", false),
        ("chunking: { strategy: sized } }]", false),
        ("max_retries: -1 }]", false),
        ("output: {} }]", false),
        ("output: x }]", false),
        ("depends_on: null }]", true),
        ("depends_on: { a: b } }]", false),
        ("}, 7]", false),
        ("}]\nqueues: 1", false),
    ] {
        let text = format!("{job}{rest}");
        let problem = misfit(&job_file(), &job_file(), &tree(&text));
        assert_eq!(problem.is_none(), fits, "schema: {rest}: {problem:?}");
        assert_eq!(jobfile::parse(text.as_bytes(), "jobs.yaml").is_ok(), fits, "checker: {rest}");
    }
}

#[test]
fn files_are_pinned_in_the_same_ways_for_the_schema_and_the_checker() {
    for (input, fits) in [
        ("{ files: a, sha256: DIGEST }", true),
        ("{ files: [a, { path: b, sha256: DIGEST }] }", true),
        ("{ files: { path: b } }", true),
        ("{ files: { path: b, sha256: null } }", true),
        ("{ files: [{ sha256: DIGEST }] }", false),
        ("{ files: [{ path: b, size: 7 }] }", false),
    ] {
        let input = input.replace("DIGEST", &"ab".repeat(32));
        let text = format!("version: 1\njobs: [{{ id: a, task_type: t, input_data: {input} }}]");
        let problem = misfit(&job_file(), &job_file(), &tree(&text));
        assert_eq!(problem.is_none(), fits, "schema: {input}: {problem:?}");
        assert_eq!(jobfile::parse(text.as_bytes(), "jobs.yaml").is_ok(), fits, "checker: {input}");
    }
}

/// A validator of the few words that the schema uses; patterns are left out.
fn misfit(root: &Json, schema: &Json, value: &Json) -> Option<String> {
    let say = |word: &str| Some(format!("{word}: {value}"));
    if let Some(target) = schema["$ref"].as_str() {
        let found = root.pointer(&target[1..]).and_then(|schema| misfit(root, schema, value));
        if found.is_some() {
            return found;
        }
    }
    if !fits_type(&schema["type"], value) {
        return say("type");
    }
    if schema.get("const").is_some_and(|only| only != value) {
        return say("const");
    }
    if schema["enum"].as_array().is_some_and(|choices| !choices.contains(value)) {
        return say("enum");
    }
    if let Some(number) = value.as_f64() {
        if schema["minimum"].as_f64().is_some_and(|least| number < least) {
            return say("minimum");
        }
        if schema["maximum"].as_f64().is_some_and(|most| number > most) {
            return say("maximum");
        }
    }
    if let Some(choices) = schema["anyOf"].as_array()
        && choices.iter().all(|choice| misfit(root, choice, value).is_some())
    {
        return say("anyOf");
    }
    match value {
        Json::Array(items) => items.iter().find_map(|item| misfit(root, &schema["items"], item)),
        Json::Object(members) => members_misfit(root, schema, members),
        _ => None,
    }
}

fn members_misfit(
    root: &Json,
    schema: &Json,
    members: &serde_json::Map<String, Json>,
) -> Option<String> {
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Json::as_str);
    if let Some(missing) = required.into_iter().find(|key| !members.contains_key(*key)) {
        return Some(format!("required: {missing}"));
    }
    members.iter().find_map(|(key, member)| {
        match (schema["properties"].get(key), &schema["additionalProperties"]) {
            (Some(property), _) => misfit(root, property, member),
            (None, Json::Bool(false)) => Some(format!("unknown: {key}")),
            (None, Json::Null) => None,
            (None, other) => misfit(root, other, member),
        }
    })
}

fn fits_type(stated: &Json, value: &Json) -> bool {
    let fits = |name: &Json| match name.as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some("null") => value.is_null(),
        _ => false,
    };
    match stated {
        Json::Null => true,
        Json::Array(names) => names.iter().any(fits),
        name => fits(name),
    }
}

#[test]
fn the_small_validator_can_say_no() {
    let schema = json!({ "type": "object", "required": ["a"], "additionalProperties": false, "properties": { "a": { "minimum": 1 } } });
    assert_eq!(misfit(&schema, &schema, &json!({"a": 1})), None);
    for wrong in [json!({}), json!({"a": 0}), json!({"a": 1, "b": 1}), json!(7)] {
        assert!(misfit(&schema, &schema, &wrong).is_some(), "{wrong}");
    }
}
