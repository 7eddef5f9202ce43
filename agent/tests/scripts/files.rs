//! `track_file` with real files.

use std::{fs, os::unix::fs::symlink, process::Command};

use failoverd::{
    config::model::InitFile,
    track::{Spec, Value, Wanted},
};

use crate::{
    lab::{Place, on_runtime},
    watcher::{Watcher, file, wanted},
};

fn one(epoch: u32, path: &str, init: Option<InitFile>) -> Wanted {
    wanted(epoch, Spec::File(file("f", path, init)))
}

#[test]
fn whatever_is_done_to_a_file_is_seen() {
    let place = Place::new("file");
    let path = place.path("f");
    let (write, other) = (
        |text: &str| fs::write(&path, text).expect("a file"),
        place.path("other"),
    );
    on_runtime(async {
        let mut watcher = Watcher::new(&[one(3, &path, None)]);
        let first = watcher.next().await;
        assert_eq!((first.value, first.epoch), (Value::Number(0), 3));
        assert_eq!(first.detail, "the file is not there");
        write("7\n");
        watcher.until(Value::Number(7)).await;
        fs::write(&other, "-12\n").expect("a file");
        fs::rename(&other, &path).expect("a rename over it");
        watcher.until(Value::Number(-12)).await;
        write("garbage");
        let garbage = watcher.until(Value::Number(0)).await;
        assert_eq!(garbage.detail, "");
        write("5");
        watcher.until(Value::Number(5)).await;
        fs::remove_file(&path).expect("a removal");
        let gone = watcher.until(Value::Number(0)).await;
        assert_eq!(gone.detail, "the file is not there");
        fs::write(&other, "9").expect("a file");
        fs::hard_link(&other, &path).expect("a link");
        watcher.until(Value::Number(9)).await;
        fs::rename(&path, place.path("away")).expect("a rename");
        watcher.until(Value::Number(0)).await;
        fs::create_dir(&path).expect("a directory in its place");
        let directory = watcher.next().await;
        assert!(
            directory.detail.contains("regular file"),
            "{}",
            directory.detail
        );
        assert_eq!(directory.value, Value::Number(0));
    });
}

#[test]
fn what_is_large_or_no_file_neither_blocks_nor_counts() {
    let place = Place::new("large");
    let path = place.path("f");
    on_runtime(async {
        fs::write(&path, "3").expect("a file");
        let mut watcher = Watcher::new(&[one(1, &path, None)]);
        assert_eq!(watcher.value().await, Value::Number(3));
        fs::write(&path, "99999999999999999999").expect("a file");
        let large = watcher.next().await;
        // Between the two, the file is empty for a moment.
        let large = if large.value == Value::Number(0) && large.detail.is_empty() {
            watcher.next().await
        } else {
            large
        };
        assert!(large.detail.contains("too large"), "{large:?}");
        let huge = fs::File::create(other(&place)).expect("a file");
        huge.set_len(1 << 40).expect("a sparse file");
        fs::rename(other(&place), &path).expect("a rename");
        watcher.until(Value::Number(0)).await;
        fs::remove_file(&path).expect("a removal");
        assert!(
            Command::new("mkfifo")
                .arg(&path)
                .status()
                .expect("mkfifo")
                .success()
        );
        while !watcher.next().await.detail.contains("regular file") {}
    });
}

fn other(place: &Place) -> String {
    place.path("other")
}

#[test]
fn a_first_value_is_written_once_and_over_another_only_when_asked() {
    let place = Place::new("init");
    let path = place.path("f");
    let init = |value, overwrite| Some(InitFile { value, overwrite });
    on_runtime(async {
        let mut watcher = Watcher::new(&[one(1, &path, init(8, false))]);
        assert_eq!(watcher.value().await, Value::Number(8));
        fs::write(&path, "20").expect("a file");
        watcher.until(Value::Number(20)).await;
        // Another definition of the same file: whoever wrote to it was right.
        watcher.sources.apply(&[one(2, &path, init(9, true))]);
        let again = watcher.next().await;
        assert_eq!((again.value, again.epoch), (Value::Number(20), 2));
        drop(watcher);
        let mut watcher = Watcher::new(&[one(1, &path, init(9, false))]);
        assert_eq!(watcher.value().await, Value::Number(20), "it was there");
        drop(watcher);
        let mut watcher = Watcher::new(&[one(1, &path, init(9, true))]);
        assert_eq!(watcher.value().await, Value::Number(9));
        drop(watcher);
        // Not through a link that somebody may have put there.
        fs::write(other(&place), "30").expect("a file");
        fs::remove_file(&path).expect("a removal");
        symlink(other(&place), &path).expect("a link");
        let mut watcher = Watcher::new(&[one(1, &path, init(9, true))]);
        assert_eq!(watcher.value().await, Value::Number(30));
    });
    assert_eq!(place.read("other"), "30");
}

#[test]
fn a_directory_that_comes_later_and_a_link_to_elsewhere_are_seen() {
    let place = Place::new("later");
    let path = place.path("sub/f");
    on_runtime(async {
        let mut watcher = Watcher::new(&[one(1, &path, None)]);
        assert_eq!(watcher.value().await, Value::Number(0));
        fs::create_dir(place.path("sub")).expect("a directory");
        fs::write(&path, "4").expect("a file");
        watcher.until(Value::Number(4)).await;
        // Gone with all that is in it, and back.
        fs::remove_dir_all(place.path("sub")).expect("a removal");
        watcher.until(Value::Number(0)).await;
        fs::create_dir(place.path("sub")).expect("a directory");
        fs::write(other(&place), "6").expect("a file");
        symlink(other(&place), &path).expect("a link");
        watcher.until(Value::Number(6)).await;
        fs::write(other(&place), "66").expect("a file");
        watcher.until(Value::Number(66)).await;
    });
}

#[test]
fn files_of_one_directory_share_its_watch() {
    let place = Place::new("shared");
    let (a, b) = (place.path("a"), place.path("b"));
    let named = |name: &str, path: &str| wanted(1, Spec::File(file(name, path, None)));
    on_runtime(async {
        let mut watcher = Watcher::new(&[named("a", &a), named("b", &b)]);
        let first = [watcher.next().await, watcher.next().await];
        assert!(
            first
                .iter()
                .all(|reading| reading.value == Value::Number(0))
        );
        watcher.sources.apply(&[named("b", &b)]);
        tokio::task::yield_now().await;
        fs::write(&b, "2").expect("a file");
        let reading = watcher.until(Value::Number(2)).await;
        assert_eq!(&*reading.tracker.name, "b");
    });
}
