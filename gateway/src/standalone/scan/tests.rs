use std::os::unix::fs::symlink;

use super::*;

/// A directory with cluster-1 in it, and a scanner that has looked once.
fn directory() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let cluster = dir.path().join("cluster-1");
    fs::create_dir(&cluster).unwrap();
    (dir, cluster)
}

/// Names and kinds of changes.
fn told(look: &Look) -> Vec<String> {
    let kind = |seen: &Seen| match seen {
        Seen::Content(content) if content.blank => "blank".to_owned(),
        Seen::Content(_) => "content".to_owned(),
        Seen::Unreadable(why) => why.clone(),
        Seen::Gone => "gone".to_owned(),
    };
    let changes = look.changes.iter();
    changes
        .map(|(id, seen)| format!("{id}: {}", kind(seen)))
        .collect()
}

fn reports(look: &Look) -> Vec<String> {
    look.reports.iter().map(ToString::to_string).collect()
}

#[test]
fn the_first_look_takes_in_manifests_and_nothing_else() {
    let (dir, cluster) = directory();
    for name in [
        "a.yaml",
        "b.yml",
        "c.json",
        ".hidden.yaml",
        "#d.yaml#",
        "#e.yaml",
        "d.yaml~",
        ".d.yaml.swp",
        "README",
    ] {
        fs::write(cluster.join(name), "").unwrap();
    }
    fs::create_dir(cluster.join("nested")).unwrap();
    let look = Scanner::new(dir.path().to_owned()).look(false);
    assert_eq!(
        told(&look),
        [
            "cluster-1/a.yaml: blank",
            "cluster-1/b.yml: blank",
            "cluster-1/c.json: blank"
        ]
    );
    assert!(look.reports.is_empty());
}

#[test]
fn a_change_is_taken_in_once_and_when_it_is_quiet() {
    let (dir, cluster) = directory();
    let mut scanner = Scanner::new(dir.path().to_owned());
    assert!(told(&scanner.look(false)).is_empty());
    fs::write(cluster.join("a.yaml"), "").unwrap();
    assert!(
        told(&scanner.look(true)).is_empty(),
        "seen for the first time"
    );
    fs::write(cluster.join("a.yaml"), "   ").unwrap();
    assert!(
        told(&scanner.look(true)).is_empty(),
        "it is still being written"
    );
    assert_eq!(told(&scanner.look(true)), ["cluster-1/a.yaml: blank"]);
    assert!(told(&scanner.look(true)).is_empty(), "nothing new");
}

#[test]
fn a_deleted_file_is_gone_once() {
    let (dir, cluster) = directory();
    fs::write(cluster.join("a.yaml"), "").unwrap();
    let mut scanner = Scanner::new(dir.path().to_owned());
    scanner.look(false);
    fs::remove_file(cluster.join("a.yaml")).unwrap();
    assert!(told(&scanner.look(true)).is_empty());
    assert_eq!(told(&scanner.look(true)), ["cluster-1/a.yaml: gone"]);
    assert!(told(&scanner.look(true)).is_empty());
    assert!(scanner.known.is_empty());
}

#[test]
fn a_file_that_is_replaced_by_a_rename_is_never_gone() {
    let (dir, cluster) = directory();
    fs::write(cluster.join("a.yaml"), " ").unwrap();
    let mut scanner = Scanner::new(dir.path().to_owned());
    scanner.look(false);
    fs::write(cluster.join("a.new"), " ").unwrap();
    fs::rename(cluster.join("a.new"), cluster.join("a.yaml")).unwrap();
    scanner.look(true);
    assert_eq!(told(&scanner.look(true)), ["cluster-1/a.yaml: blank"]);
}

#[test]
fn a_volume_of_a_config_map_is_followed_through_its_links() {
    let (dir, cluster) = directory();
    for version in ["..1", "..2"] {
        fs::create_dir(cluster.join(version)).unwrap();
        fs::write(cluster.join(version).join("a.yaml"), version).unwrap();
    }
    symlink("..1", cluster.join("..data")).unwrap();
    symlink("..data/a.yaml", cluster.join("a.yaml")).unwrap();
    let mut scanner = Scanner::new(dir.path().to_owned());
    assert_eq!(scanner.look(false).changes.len(), 1);
    symlink("..2", cluster.join("..new")).unwrap();
    fs::rename(cluster.join("..new"), cluster.join("..data")).unwrap();
    assert!(scanner.look(true).changes.is_empty());
    assert_eq!(
        scanner.look(true).changes.len(),
        1,
        "the link led elsewhere"
    );
}

#[test]
fn a_vanished_directory_takes_its_files_along() {
    let (dir, cluster) = directory();
    fs::write(cluster.join("a.yaml"), "").unwrap();
    let mut scanner = Scanner::new(dir.path().to_owned());
    scanner.look(false);
    fs::remove_dir_all(&cluster).unwrap();
    scanner.look(true);
    assert_eq!(told(&scanner.look(true)), ["cluster-1/a.yaml: gone"]);
}

#[test]
fn nothing_changes_when_the_directory_itself_vanishes() {
    let (dir, cluster) = directory();
    fs::write(cluster.join("a.yaml"), "").unwrap();
    let mut scanner = Scanner::new(dir.path().to_owned());
    scanner.look(false);
    fs::remove_dir_all(dir.path()).unwrap();
    for _ in 0..3 {
        let look = scanner.look(true);
        assert!(look.changes.is_empty());
        assert!(
            reports(&look)[0].contains("cannot be listed"),
            "{:?}",
            reports(&look)
        );
    }
}

#[test]
fn what_is_no_regular_file_is_reported_and_not_opened() {
    let (dir, cluster) = directory();
    fs::create_dir(cluster.join("a.yaml")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(cluster.join("b.yaml")).unwrap();
    symlink("nowhere", cluster.join("c.yaml")).unwrap();
    let look = Scanner::new(dir.path().to_owned()).look(false);
    assert_eq!(
        told(&look),
        [
            "cluster-1/a.yaml: it is not a regular file",
            "cluster-1/b.yaml: it is not a regular file",
            "cluster-1/c.yaml: its symbolic link leads nowhere",
        ]
    );
}

#[test]
fn directories_and_files_in_the_wrong_place_are_reported() {
    let (dir, _) = directory();
    for name in ["Cluster_1", "-x", ".git"] {
        fs::create_dir(dir.path().join(name)).unwrap();
        fs::write(dir.path().join(name).join("a.yaml"), "").unwrap();
    }
    fs::write(dir.path().join("stray.yaml"), "").unwrap();
    fs::write(dir.path().join("README.md"), "").unwrap();
    let look = Scanner::new(dir.path().to_owned()).look(false);
    assert!(look.changes.is_empty());
    let reports = reports(&look);
    assert_eq!(reports.len(), 3, "{reports:?}");
    assert!(
        reports[0].starts_with("-x: the name of the directory is no cluster name"),
        "{reports:?}"
    );
    assert!(
        reports[2].starts_with("stray.yaml: a manifest must be in the directory of a cluster"),
        "{reports:?}"
    );
}

#[test]
fn a_start_without_its_directories_says_what_to_do() {
    let (dir, _) = directory();
    assert!(check(dir.path(), "cluster-1").is_ok());
    let error = check(dir.path(), "cluster-9").unwrap_err().to_string();
    assert!(error.contains("has no directory cluster-9"), "{error}");
    let error = check(Path::new("/nonexistent"), "cluster-1")
        .unwrap_err()
        .to_string();
    assert!(error.contains("/nonexistent cannot be read"), "{error}");
    for name in ["", "Cluster", "-a", "a-", "a.b", "ä", &"x".repeat(64)] {
        let error = check(dir.path(), name).unwrap_err().to_string();
        assert!(error.contains("is no cluster name"), "{name:?}: {error}");
    }
}
