use super::*;

fn file_log() -> (tempfile::TempDir, std::path::PathBuf, AccessLog) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("access.log");
    let log = AccessLog::open(Sink::File(path.clone())).unwrap();
    (dir, path, log)
}

#[test]
fn lines_of_many_threads_stay_whole_and_none_is_lost() {
    let (_dir, path, log) = file_log();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let log = &log;
            scope.spawn(move || {
                for n in 0..1000 {
                    log.append(|out| out.extend(format!("{thread}-{n}\n").bytes()));
                }
            });
        }
    });
    assert_eq!(log.dropped(), 0);
    drop(log);
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    let mut expected: Vec<_> = (0..4)
        .flat_map(|t| (0..1000).map(move |n| format!("{t}-{n}")))
        .collect();
    expected.sort_unstable();
    assert_eq!(lines, expected);
}

#[test]
fn a_lone_line_is_written_without_further_traffic() {
    let (_dir, path, log) = file_log();
    log.append(|out| out.extend(b"alone\n"));
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while std::fs::read(&path).unwrap() != b"alone\n" {
        assert!(std::time::Instant::now() < deadline, "not written");
        std::thread::yield_now();
    }
}

#[test]
fn lines_beyond_the_bound_are_dropped_and_counted() {
    // No writer takes anything out of this queue.
    let shared = Shared::default();
    let line = vec![b'x'; MAX_BUFFERED / 4];
    (0..6).for_each(|_| shared.append(&line));
    assert_eq!(shared.queue.lock().buffer.len(), MAX_BUFFERED);
    assert_eq!(shared.dropped.load(Ordering::Relaxed), 2);
}
