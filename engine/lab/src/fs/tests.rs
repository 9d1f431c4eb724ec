//! Inodes, mounts, links and rights.

use super::{Fs, FsError, Mount, OpenOptions, Volume};
use crate::process::testing::clock;
use std::collections::BTreeMap;

fn files(pairs: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
    pairs.iter().map(|&(path, text)| (path.to_owned(), text.as_bytes().to_vec())).collect()
}

#[tokio::test(start_paused = true)]
async fn a_volume_is_replaced_at_once_and_read_only_where_mounted_so() {
    let volume = Volume::from_files(clock(), &files(&[("squid.conf", "old"), ("d/x", "1")])).unwrap();
    let fs = Fs::new(clock());
    fs.mount("/etc/conf", &Mount { volume: volume.clone(), sub_path: None, read_only: true }).unwrap();
    let one = Mount { volume: volume.clone(), sub_path: Some("squid.conf".to_owned()), read_only: true };
    fs.mount("/etc/squid/squid.conf", &one).unwrap();
    assert_eq!(fs.read("/etc/conf/d/x").unwrap(), b"1");
    assert_eq!(fs.write("/etc/conf/squid.conf", b"x"), Err(FsError::ReadOnly));
    assert_eq!(fs.remove_file("/etc/conf/d/x"), Err(FsError::ReadOnly));
    assert_eq!(fs.remove_file("/etc/squid/squid.conf"), Err(FsError::Busy));
    let open = fs.open("/etc/conf/squid.conf", OpenOptions::reading()).unwrap();
    let mut changes = fs.changes();
    volume.replace(&files(&[("squid.conf", "new")])).unwrap();
    changes.changed().await;
    assert_eq!(fs.read("/etc/conf/squid.conf").unwrap(), b"new");
    assert_eq!(fs.read("/etc/conf/d/x"), Err(FsError::NotFound));
    assert_eq!(open.read_at(0, 9).unwrap(), b"old");
    assert_eq!(volume.replace(&files(&[("../x", "")])), Err(FsError::Invalid));
}

#[tokio::test(start_paused = true)]
async fn inodes_stay_with_the_file_and_are_never_used_again() {
    let fs = Fs::new(clock());
    fs.write("/a", b"1").unwrap();
    let inode = |path: &str| fs.metadata(path).unwrap().inode;
    let first = inode("/a");
    fs.append("/a", b"2").unwrap();
    fs.rename("/a", "/b").unwrap();
    assert_eq!((inode("/b"), fs.read("/b").unwrap()), (first, b"12".to_vec()));
    let open = fs.open("/b", OpenOptions::reading()).unwrap();
    fs.remove_file("/b").unwrap();
    fs.write("/b", b"new").unwrap();
    assert_ne!(inode("/b"), first);
    assert_eq!(open.read(9).unwrap(), b"12");
}

#[tokio::test(start_paused = true)]
async fn paths_go_through_links_and_up() {
    let fs = Fs::new(clock());
    fs.create_dir_all("/usr/bin").unwrap();
    fs.symlink("usr/bin", "/bin").unwrap();
    fs.symlink("loop", "/loop").unwrap();
    fs.write("/bin/x", b"x").unwrap();
    assert_eq!(fs.canonical("/bin/../bin/./x").unwrap(), "/usr/bin/x");
    let cases = [
        ("/loop", FsError::TooManyLinks),
        ("/bin/x/y", FsError::NotADirectory),
        ("/bin/x/", FsError::NotADirectory),
        ("/none/x", FsError::NotFound),
        ("", FsError::NotFound),
    ];
    for (path, error) in cases {
        assert_eq!(fs.read(path), Err(error), "{path}");
    }
    assert_eq!(fs.rename("/usr", "/usr/bin/usr"), Err(FsError::Invalid));
    assert_eq!(fs.remove_dir("/usr"), Err(FsError::DirectoryNotEmpty));
}

#[tokio::test(start_paused = true)]
async fn rights_count_for_everyone_but_root() {
    let root = Fs::new(clock());
    root.write("/secret", b"s").unwrap();
    root.set_mode("/secret", 0o600).unwrap();
    root.create_dir("/home", 0o755).unwrap();
    root.set_owner("/home", 100, 101).unwrap();
    let user = root.as_user(100, 101);
    assert_eq!(user.read("/secret"), Err(FsError::PermissionDenied));
    assert_eq!(user.write("/x", b""), Err(FsError::PermissionDenied));
    assert_eq!(user.set_mode("/secret", 0o777), Err(FsError::NotPermitted));
    user.write("/home/x", b"mine").unwrap();
    assert_eq!(user.metadata("/home/x").unwrap().uid, 100);
    assert_eq!(root.read("/secret").unwrap(), b"s");
}

#[tokio::test(start_paused = true)]
async fn a_volume_has_an_end() {
    let fs = Fs::new(clock());
    let chunk = vec![0; 1 << 20];
    let full = (0..100).find_map(|_| fs.append("/big", &chunk).err());
    assert_eq!(full, Some(FsError::NoSpace));
    fs.write("/big", b"").unwrap();
    assert_eq!(fs.append("/big", &chunk), Ok(()));
}
