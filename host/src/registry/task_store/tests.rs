use super::*;

fn store() -> (tempfile::TempDir, TaskStore) {
    let directory = tempfile::tempdir().unwrap();
    let store = TaskStore::new(directory.path().join("tasks"));
    (directory, store)
}

fn addition(name: &str, version: &str, bytes: &[u8]) -> Addition {
    let admitted = Admitted { digest: digest_of(bytes), bytes: bytes.to_vec() };
    let version = Version::parse(version).ok();
    let name = name.parse().unwrap();
    Addition { name, version, admitted, description: None, source: "here".into() }
}

fn files(store: &TaskStore) -> usize {
    fs::read_dir(&store.directory).unwrap().count()
}

#[test]
fn two_names_of_one_component_share_its_file_until_both_are_gone() {
    let (_directory, store) = store();
    assert_eq!(store.list(), Ok(Vec::new()));
    let one = store.add(addition("a", "1.0.0", b"x")).unwrap();
    store.add(addition("b", "", b"x")).unwrap();
    assert_eq!(store.add(addition("a", "1.0.0", b"x")), Ok(one));
    let other = store.add(addition("a", "1.0.0", b"y"));
    assert_eq!(other.map_err(|fault| fault.code), Err(Code::TaskStore));
    assert_eq!((store.list().unwrap().len(), files(&store)), (2, 3));
    store.remove(&"a".parse().unwrap(), &Wanted::Highest).unwrap();
    assert_eq!(files(&store), 3);
    store.remove(&"b".parse().unwrap(), &Wanted::Highest).unwrap();
    assert_eq!(files(&store), 2);
    assert!(store.remove(&"b".parse().unwrap(), &Wanted::Highest).is_err());
}

#[test]
fn what_an_interrupted_command_left_is_swept_and_what_is_not_ours_stays() {
    let (_directory, store) = store();
    store.add(addition("a", "1.0.0", b"x")).unwrap();
    for name in [".tmpHALF", &format!("{}.wasm", digest_of(b"orphan")), "notes.txt"] {
        fs::write(store.directory.join(name), "?").unwrap();
    }
    store.add(addition("a", "2.0.0", b"y")).unwrap();
    assert_eq!(files(&store), 5);
    let refused = store.remove(&"a".parse().unwrap(), &Wanted::Highest).unwrap_err();
    assert!(refused.detail.contains("a@1.0.0, a@2.0.0"), "{}", refused.detail);
}
