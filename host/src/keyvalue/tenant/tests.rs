use super::*;

/// What is told, as a human would read it.
fn ask(stores: &mut TenantStores, store: &str, question: Question) -> String {
    match stores.answer(store, question) {
        Ok(Answer::Done) => "done".into(),
        Ok(Answer::Values(values)) => {
            let text = |value: &Option<Bulk>| match value {
                Some(value) => String::from_utf8_lossy(&value.0).into_owned(),
                None => "-".into(),
            };
            values.iter().map(text).collect::<Vec<_>>().join(" ")
        }
        Ok(Answer::Exists(it)) => it.to_string(),
        Ok(Answer::Keys(Page { keys, next })) => format!("{} {next:?}", keys.join(" ")),
        Ok(Answer::Number(number)) => number.to_string(),
        Err(KeyValueError::Refused(why)) => why,
        Err(error) => format!("{error:?}"),
    }
}

fn set(key: impl Into<String>, value: impl Into<Bytes>) -> Question {
    Question::Set(vec![(key.into(), Bulk(value.into()))])
}

fn get(key: &str) -> Question {
    Question::Get(vec![key.into()])
}

fn delete(key: impl Into<String>) -> Question {
    Question::Delete(vec![key.into()])
}

#[test]
fn what_was_set_is_there_until_it_is_deleted() {
    let mut stores = TenantStores::default();
    let mut said = |question| ask(&mut stores, "s", question);
    assert_eq!(said(get("a")), "-");
    assert_eq!(said(set("a", "one")), "done");
    assert_eq!(said(set("a", "two")), "done");
    assert_eq!(said(Question::Get(vec!["b".into(), "a".into(), "a".into()])), "- two two");
    assert_eq!(said(Question::Exists("a".into())), "true");
    assert_eq!(said(delete("a")), "done");
    assert_eq!(said(delete("a")), "done");
    assert_eq!(said(get("a")), "-");
    assert!(stores.stores.is_empty(), "a store without a key is none");
    assert_eq!(stores.bytes, 0);
}

#[test]
fn numbers_are_digits_and_do_not_overflow() {
    let mut stores = TenantStores::default();
    let mut said = |question| ask(&mut stores, "s", question);
    let add = |by| Question::Increment("n".into(), by);
    assert_eq!((said(add(0)), said(add(41)), said(add(1))), ("0".into(), "41".into(), "42".into()));
    assert_eq!(said(get("n")), "42");
    assert_eq!(said(add(u64::MAX)), "the sum does not fit into 64 bits");
    assert_eq!(said(get("n")), "42");
    for value in [&b"x"[..], b"", b"-1", b"1.5", b" 1", b"\xff", b"18446744073709551616"] {
        said(set("n", value));
        assert_eq!(said(add(1)), "the value is not a number in decimal digits");
    }
}

#[test]
fn pages_hold_what_stays_exactly_once_whatever_comes_and_goes() {
    let mut stores = TenantStores::default();
    for index in 0..2500 {
        ask(&mut stores, "s", set(format!("k{index}"), "v"));
    }
    let page = |stores: &TenantStores, from| stores.page("s", from);
    let first = page(&stores, 0);
    assert_eq!((first.keys.len(), &*first.keys[999], first.next), (1000, "k999", Some(1000)));
    for gone in ["k3", "k1000", "k1001"] {
        ask(&mut stores, "s", delete(gone));
    }
    ask(&mut stores, "s", set("k5", "again"));
    ask(&mut stores, "s", set("k3", "new"));
    let second = page(&stores, 1000);
    assert_eq!((&*second.keys[0], &*second.keys[999], second.next), ("k1002", "k2001", Some(2002)));
    let third = page(&stores, 2002);
    assert_eq!((third.keys.len(), &*third.keys[498], third.next), (499, "k3", None));
    assert_eq!(page(&stores, u64::MAX), Page { keys: Vec::new(), next: None });
    assert_eq!(ask(&mut stores, "other", Question::List(0)), " None");
}

#[test]
fn a_store_has_so_many_keys_and_a_tenant_so_many_stores() {
    let mut stores = TenantStores::default();
    for index in 0..KEYS_MAX {
        assert_eq!(ask(&mut stores, "s", set(index.to_string(), "")), "done");
    }
    assert_eq!(ask(&mut stores, "s", set("one more", "")), "a store has at most 50000 keys");
    assert_eq!(ask(&mut stores, "s", set("7", "again")), "done");
    for index in 1..STORES_MAX {
        assert_eq!(ask(&mut stores, &format!("s{index}"), set("k", "")), "done");
    }
    let one_more = |stores: &mut TenantStores| ask(stores, "one more", set("k", ""));
    assert_eq!(one_more(&mut stores), "a tenant has at most 16 stores that hold something");
    ask(&mut stores, "s3", delete("k"));
    assert_eq!(one_more(&mut stores), "done");
}

#[test]
fn a_tenant_has_so_many_bytes_and_gets_back_what_it_deletes() {
    let mut stores = TenantStores::default();
    let block = || vec![0; 1 << 20];
    for index in 0..15 {
        assert_eq!(ask(&mut stores, "s", set(format!("k{index}"), block())), "done");
    }
    let full = "the stores of this tenant are full (16 MiB); delete keys";
    assert_eq!(ask(&mut stores, "s", set("more", block())), full);
    assert_eq!(ask(&mut stores, "t", set("more", block())), full);
    assert!(!stores.stores.contains_key("t"), "what was refused left a store");
    assert_eq!(ask(&mut stores, "s", set("k0", block())), "done");
    let held = stores.bytes;
    assert_eq!(held, 15 * ((1 << 20) + KEY_OVERHEAD_BYTES) + 10 * 2 + 5 * 3);
    ask(&mut stores, "s", delete("k0"));
    assert_eq!(ask(&mut stores, "t", set("more", block())), "done");
    assert_eq!(stores.bytes, held - 2 + 4);
}

#[test]
fn a_batch_that_is_refused_keeps_what_came_before() {
    let mut stores = TenantStores::default();
    for index in 0..15 {
        ask(&mut stores, "s", set(format!("k{index}"), vec![0; 1 << 20]));
    }
    let large = Bulk(vec![0; 1 << 20].into());
    let pairs = vec![("a".into(), Bulk("1".into())), ("b".into(), large)];
    assert!(ask(&mut stores, "s", Question::Set(pairs)).contains("full"));
    assert_eq!(ask(&mut stores, "s", get("a")), "1");
    let keys = (0..5).map(|index| format!("k{index}")).collect();
    assert_eq!(
        ask(&mut stores, "s", Question::Get(keys)),
        "their values have more than 4194304 bytes; ask for fewer"
    );
}
