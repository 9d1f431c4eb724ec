//! The small programs, one table: what they print and how they end in both kinds of image.

use crate::process::testing::{container, run_in};
use crate::process::{Exit, Fd};
use std::time::Duration;

/// Files that every case finds.
const SETUP: &str =
    "cd /tmp && printf 'one\\ntwo\\nthree\\n' > n && printf 'b 2\\na 10\\nb 2\\n' > t && printf '1:x\\n2:y\\n' > c; ";

/// Script, standard output, status: the same in GNU and BusyBox.
const COMMON: &[(&str, &str, u8)] = &[
    ("head -n 2 n", "one\ntwo\n", 0),
    ("head -1 n", "one\n", 0),
    ("head -c 4 n", "one\n", 0),
    ("tail -n 1 n", "three\n", 0),
    ("tail -2 n", "two\nthree\n", 0),
    ("tail -n +2 n", "two\nthree\n", 0),
    ("tail -c +5 n", "two\nthree\n", 0),
    ("tail -c 6 n", "three\n", 0),
    ("head -n 1 n t", "==> n <==\none\n\n==> t <==\nb 2\n", 0),
    ("grep t n", "two\nthree\n", 0),
    ("grep -c e n; grep -v e n; grep -n tw n", "2\ntwo\n2:two\n", 0),
    ("grep -o 'h.*' n", "hree\n", 0),
    ("grep -oE '[a-z]{2}' n", "on\ntw\nth\nre\n", 0),
    ("grep -F o.e n", "", 1),
    ("grep -i ONE n", "one\n", 0),
    ("grep -q two n && echo found", "found\n", 0),
    ("grep x /nosuch 2>/dev/null", "", 2),
    ("grep -l two n t", "n\n", 0),
    ("grep -h -e one -e 'a 1' n t", "one\na 10\n", 0),
    ("grep -A1 one n", "one\ntwo\n", 0),
    ("grep -m1 t n", "two\n", 0),
    ("grep -w on n", "", 1),
    ("grep -x one n", "one\n", 0),
    ("sort t", "a 10\nb 2\nb 2\n", 0),
    ("sort -u t | wc -l", "2\n", 0),
    ("sort -k2 -n -r t", "a 10\nb 2\nb 2\n", 0),
    ("sort t | uniq -c", "      1 a 10\n      2 b 2\n", 0),
    ("cut -d: -f2 c", "x\ny\n", 0),
    ("cut -c1,3 c", "1x\n2y\n", 0),
    ("tr a-z A-Z < n | head -n1", "ONE\n", 0),
    ("echo a1b2 | tr -d 0-9", "ab\n", 0),
    ("echo aabb | tr -s a", "abb\n", 0),
    ("wc -l < n; wc -c < n", "3\n14\n", 0),
    ("sed 's/o/0/' n", "0ne\ntw0\nthree\n", 0),
    ("sed -n '2p' n; sed '1d' n; sed -n '/tw/,$p' n", "two\ntwo\nthree\ntwo\nthree\n", 0),
    ("sed 's/mode: ALLOW_ANY/mode: REGISTRY_ONLY/g'", "", 0),
    ("sed -E 's/(t)(.)/\\2\\1&/g' n", "one\nwttwo\nhtthree\n", 0),
    ("sed -i 's/one/1/' n; cat n", "1\ntwo\nthree\n", 0),
    ("sed 's|/|-|g; 2q' n", "one\ntwo\n", 0),
    ("seq 3; seq 2 3; seq 5 -2 1", "1\n2\n3\n2\n3\n5\n3\n1\n", 0),
    ("basename /a/b.txt .txt; dirname /a/b.txt", "b\n/a\n", 0),
    ("printf '%s-%d\\n' a 1 b 2", "a-1\nb-2\n", 0),
    ("printf '%5s|%-5s|%05d|%x\\n' a b 42 255", "    a|b    |00042|ff\n", 0),
    ("printf '%b' 'a\\nb'; printf '%%\\n'", "a\nb%\n", 0),
    ("echo -n x; echo", "x\n", 0),
    ("stat -c '%s %n' n", "14 n\n", 0),
    ("[ \"$(stat -c %i n)\" = \"$(ls -i n | cut -d' ' -f1)\" ] && echo same", "same\n", 0),
    ("a=$(stat -c %i n); mv n m; [ $a = $(stat -c %i m) ] && echo kept", "kept\n", 0),
    ("a=$(stat -c %i n); rm n; echo x > n; [ $a = $(stat -c %i n) ] || echo new", "new\n", 0),
    ("mkdir -p a/b/c && ls a/b && rm -r a && ls a 2>/dev/null || echo gone", "c\ngone\n", 0),
    ("mkdir d; cp n d; ls d; cp -r d e; cat e/n | head -n1", "n\none\n", 0),
    ("touch x; ls -1", "c\nn\nt\nx\n", 0),
    ("ls -A / | head -n1; ls -d /tmp", "bin\n/tmp\n", 0),
    ("ln -s n l; readlink l; cat l | head -n1; readlink -f l", "n\none\n/tmp/n\n", 0),
    ("chmod 600 n; stat -c %a n", "600\n", 0),
    ("cat n - < c", "one\ntwo\nthree\n1:x\n2:y\n", 0),
    ("cat n | tee x y > /dev/null; cat y", "one\ntwo\nthree\n", 0),
    ("printf 'a b\\nc\\n' | xargs echo; printf 'a b c' | xargs -n2 echo", "a b c\na b\nc\n", 0),
    ("printf 'a\\nb\\n' | xargs -I{} echo x{}y", "xay\nxby\n", 0),
    ("env -i A=1 B=2 printenv B; printenv NOPE", "2\n", 1),
    ("id -u; whoami", "0\nroot\n", 0),
    ("hostname; hostname -i", "client\n10.244.0.52\n", 0),
    ("date -u +%Y-%m-%dT%H:%M:%SZ", "2026-01-01T00:00:00Z\n", 0),
    ("sleep 61; date +%s", "1767225661\n", 0),
    ("timeout 5 sleep 1; echo $?", "0\n", 0),
    ("echo hello | base64; echo aGVsbG8K | base64 -d", "aGVsbG8K\nhello\n", 0),
    ("printf abc | sha256sum", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  -\n", 0),
    ("which sh nosuch", "/bin/sh\n", 1),
    ("[ -t 1 ] || echo pipe", "pipe\n", 0),
    ("[ 1 -eq x ] 2>/dev/null", "", 2),
];

#[tokio::test(start_paused = true)]
async fn the_small_programs_do_what_posix_says() {
    let mut wrong = Vec::new();
    for image in ["busybox", "debian"] {
        for &(script, stdout, status) in COMMON {
            let output = run_in(&container(image), &["sh", "-c", &format!("{SETUP}{script}")], b"").await;
            let expected = if image == "debian" { stdout.replace("/bin/sh", "/usr/bin/sh") } else { stdout.to_owned() };
            if output.stdout != expected || output.exit.status() != Some(status) {
                wrong.push(format!("{image}: {script}\n  expected {expected:?} {status}\n  found {output:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn errors_are_worded_as_the_image_words_them() {
    let cases = [
        ("debian", "cat /nosuch", "cat: /nosuch: No such file or directory\n", 1),
        ("busybox", "cat /nosuch", "cat: can't open '/nosuch': No such file or directory\n", 1),
        ("debian", "cat /tmp", "cat: /tmp: Is a directory\n", 1),
        ("busybox", "cat /tmp", "cat: read error: Is a directory\n", 1),
        ("debian", "ls /nosuch", "ls: cannot access '/nosuch': No such file or directory\n", 2),
        ("busybox", "ls /nosuch", "ls: /nosuch: No such file or directory\n", 1),
        ("debian", "tail /nosuch", "tail: cannot open '/nosuch' for reading: No such file or directory\n", 1),
        ("busybox", "grep x /nosuch", "grep: /nosuch: No such file or directory\n", 2),
        ("debian", "rm /nosuch", "rm: cannot remove '/nosuch': No such file or directory\n", 1),
        ("busybox", "rm /nosuch", "rm: can't remove '/nosuch': No such file or directory\n", 1),
        ("debian", "stat -c %s /nosuch", "stat: cannot statx '/nosuch': No such file or directory\n", 1),
    ];
    for (image, script, stderr, status) in cases {
        let output = run_in(&container(image), &["sh", "-c", script], b"").await;
        assert_eq!((output.stderr.as_str(), output.exit), (stderr, Exit::Code(status)), "{image}: {script}");
    }
}

#[tokio::test(start_paused = true)]
async fn tail_follows_a_name_through_rotation() {
    let container = container("debian");
    let fs = container.fs().clone();
    fs.write("/tmp/log", b"old\n").unwrap();
    let (reader, stdout) = Fd::pipe();
    let (errors, stderr) = Fd::pipe();
    let argv = ["tail", "-c", "+1", "-F", "/tmp/log"].map(str::to_owned).to_vec();
    let tail = tokio::spawn(container.process(argv, Fd::null(), stdout, stderr).run());
    let wait = || tokio::time::sleep(Duration::from_millis(10));
    wait().await;
    fs.append("/tmp/log", b"more\n").unwrap();
    wait().await;
    fs.rename("/tmp/log", "/tmp/log.1").unwrap();
    fs.append("/tmp/log.1", b"late\n").unwrap();
    wait().await;
    fs.write("/tmp/log", b"new\n").unwrap();
    wait().await;
    fs.write("/tmp/log", b"x\n").unwrap();
    wait().await;
    drop((
        errors,
        reader.read(1024).await.map(|data| assert_eq!(String::from_utf8_lossy(&data), "old\nmore\nlate\nnew\nx\n")),
    ));
    drop(reader);
    assert_eq!(tail.await.unwrap(), Exit::Signal(crate::process::SIGPIPE));
}

#[tokio::test(start_paused = true)]
async fn a_timeout_ends_its_command() {
    for (image, code) in [("debian", 124), ("busybox", 143)] {
        let output = run_in(&container(image), &["timeout", "2", "sleep", "infinity"], b"").await;
        assert_eq!(output.exit, Exit::Code(code));
    }
}
