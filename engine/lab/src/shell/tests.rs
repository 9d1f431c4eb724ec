//! Shell semantics, as dash and ash have them.

use crate::process::testing::{container, run_at, run_in};
use crate::process::{Exit, Fd};

/// Script, what it prints on standard output, its status. dash and ash agree on all of these.
const COMMON: &[(&str, &str, u8)] = &[
    ("echo hello world", "hello world\n", 0),
    ("echo 'a  b' \"c  d\" e\\ f", "a  b c  d e f\n", 0),
    ("x=5; echo $x ${x} \"${x}y\" '$x'", "5 5 5y $x\n", 0),
    ("X=outer; X=inner sh -c 'echo $X'; echo $X", "inner\nouter\n", 0),
    ("X=1 Y=$X true; echo \"[$X]\"", "[]\n", 0),
    ("x='a b'; set -- $x; echo $#; set -- \"$x\"; echo $#", "2\n1\n", 0),
    ("set -- 'a b' c; for i in \"$@\"; do echo \"<$i>\"; done", "<a b>\n<c>\n", 0),
    ("set -- 'a b' c; for i in $*; do echo \"<$i>\"; done", "<a>\n<b>\n<c>\n", 0),
    ("set -- a b; echo \"$*\" \"x$@y\"; IFS=:; echo \"$*\"", "a b xa by\na:b\n", 0),
    ("set --; for i in \"$@\"; do echo never; done; echo done", "done\n", 0),
    ("echo ${u:-d} ${u-d} ${u:+s} ${u:=v} $u ${u:+s}", "d d v v s\n", 0),
    ("e=; echo \"${e:-d}\" \"${e-d}\" \"${e:+s}\" \"${e+s}\"", "d   s\n", 0),
    ("f=/a/b.tar.gz; echo ${f##*/} ${f#*/} ${f%.*} ${f%%.*} ${#f}", "b.tar.gz a/b.tar.gz /a/b.tar /a/b 11\n", 0),
    ("echo $(echo a; echo b) \"$(echo a; echo b)\"", "a b a\nb\n", 0),
    ("echo `echo \\`echo deep\\``", "deep\n", 0),
    ("x=$(exit 3); echo $?", "3\n", 0),
    ("x=2; echo $((x * 3 + 1)) $((1 << 4 | 1)) $((7 / 2)) $((-7 % 3)) $((x > 1 && 0))", "7 17 3 -1 0\n", 0),
    ("x=1; : $((x += 4)); echo $x", "5\n", 0),
    ("true && echo yes || echo no; false && echo yes || echo no", "yes\nno\n", 0),
    ("! true; echo $?; ! false; echo $?", "1\n0\n", 0),
    ("if false; then echo a; elif true; then echo b; else echo c; fi", "b\n", 0),
    ("if false; then echo a; fi; echo $?", "0\n", 0),
    ("i=0; while [ $i -lt 3 ]; do i=$((i+1)); [ $i = 2 ] && continue; echo $i; done", "1\n3\n", 0),
    ("for a in 1 2; do for b in x y; do [ $b = y ] && break 2; echo $a$b; done; done", "1x\n", 0),
    ("until false; do echo once; break; done", "once\n", 0),
    ("case abc in x) echo x;; a*|b) echo glob;; *) echo other;; esac", "glob\n", 0),
    ("case 'a*' in 'a*') echo quoted;; esac; case ab in 'a*') echo no;; esac", "quoted\n", 0),
    ("f() { echo \"f $1 $#\"; return 4; }; f a b; echo $?", "f a 2\n4\n", 0),
    ("f() { local x=in; echo $x; }; x=out; f; echo $x", "in\nout\n", 0),
    ("(x=1; cd /tmp; exit 3); echo $? $x; pwd", "3\n/\n", 0),
    ("{ echo a; echo b; } > /tmp/f; cat /tmp/f", "a\nb\n", 0),
    ("echo a > /tmp/f; echo b >> /tmp/f; cat < /tmp/f", "a\nb\n", 0),
    ("echo err >&2; echo out", "out\n", 0),
    ("{ echo out; echo err >&2; } 2>&1 | cat", "out\nerr\n", 0),
    ("ls /nosuch 2>/dev/null || echo failed", "failed\n", 0),
    ("cat <<EOF\n$((1+1)) \"q\" `echo s`\nEOF", "2 \"q\" s\n", 0),
    ("cat <<'EOF'\n$x\nEOF", "$x\n", 0),
    ("cat <<-EOF\n\ttab\n\tEOF", "tab\n", 0),
    ("printf 'a b\\nc d\\n' | while read x y; do echo \"$y $x\"; done", "b a\nd c\n", 0),
    ("printf 'x' | { read v; echo \"$? $v\"; }", "1 x\n", 0),
    ("IFS=: read a b <<EOF\n1:2:3\nEOF\necho $a,$b", "1,2:3\n", 0),
    ("echo one | cat | cat", "one\n", 0),
    ("false | true; echo $?; true | false; echo $?", "0\n1\n", 0),
    ("exit 7", "", 7),
    ("exit 256", "", 0),
    ("set -e; false; echo never", "", 1),
    ("set -e; false || true; if false; then :; fi; ! true; echo alive", "alive\n", 0),
    ("set -e; f() { false; echo in; }; f || true; echo out", "in\nout\n", 0),
    ("set -e; (exit 5); echo never", "", 5),
    ("set -e; x=$(false); echo never", "", 1),
    ("set -u; echo ${x-ok}; echo $x; echo never", "ok\n", 2),
    ("cd /tmp && touch b.txt a.txt && echo *.txt /tm? '*.txt' *.nosuch", "a.txt b.txt /tmp *.txt *.nosuch\n", 0),
    ("eval 'x=1; echo $x'", "1\n", 0),
    ("exec echo replaced; echo never", "replaced\n", 0),
    ("exec >/tmp/out; echo hidden; exec cat /tmp/out >/dev/null", "", 0),
    ("trap 'echo bye' EXIT; echo hi; exit 3", "hi\nbye\n", 3),
    ("sleep 1 & wait; echo done", "done\n", 0),
    ("(exit 9) & wait $!; echo $?", "9\n", 0),
    ("export A=1; readonly B=2; env | grep '^[AB]='", "A=1\n", 0),
    ("unset HOME; echo \"[$HOME]\"", "[]\n", 0),
    ("echo a#b # comment", "a#b\n", 0),
    ("echo \"a\nb\"", "a\nb\n", 0),
    ("x='*'; echo \"$x\"", "*\n", 0),
    ("echo $0 $# ; shift 0", "sh 0\n", 0),
    ("command -v cat; command -v cd; command -v nosuch-x; echo $?", "/bin/cat\ncd\n127\n", 0),
    ("[ -n a ] && [ -z '' ] && [ 1 -lt 2 ] && [ ! -e /nosuch ] && [ -d /tmp ] && [ a = a -a b != c ]", "", 0),
    ("test a = b", "", 1),
    ("kill -9 $$", "", 137),
    ("echo $$", "1\n", 0),
    ("echo ~ ~/x \"~\"", "/root /root/x ~\n", 0),
    ("x=~/y; echo $x", "/root/y\n", 0),
    ("a=1 b=$a; echo $b", "1\n", 0),
    ("echo ${x:-a \"b  c\" d}", "a b  c d\n", 0),
    ("set -- a b c; shift; echo $1; shift 2; echo $#", "b\n0\n", 0),
    ("for i in 1 2 3; do echo $i; done | tail -n 1", "3\n", 0),
    (". /tmp/nosuch; echo never", "", 2),
    ("echo 'echo sourced $x' > /tmp/s; x=1; . /tmp/s", "sourced 1\n", 0),
    ("printf '#!/bin/sh\\necho \"script $1\"\\n' > /tmp/s; chmod +x /tmp/s; /tmp/s arg", "script arg\n", 0),
    ("yes=$(echo y | tr y n); echo $yes", "n\n", 0),
];

async fn sh(image: &str, script: &str) -> crate::process::testing::Output {
    run_in(&container(image), &["sh", "-c", script], b"").await
}

#[tokio::test(start_paused = true)]
async fn both_shells_do_what_posix_says() {
    let mut wrong = Vec::new();
    for image in ["debian", "busybox"] {
        for &(script, stdout, status) in COMMON {
            let output = sh(image, script).await;
            let ended = output.exit.status();
            if output.stdout != stdout.replace("/bin/cat", if image == "debian" { "/usr/bin/cat" } else { "/bin/cat" })
                || ended != Some(status)
            {
                wrong.push(format!("{image}: {script}\n  expected {stdout:?} {status}\n  found {output:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn complaints_are_worded_as_the_image_words_them() {
    let cases = [
        ("debian", "nosuch-program", "sh: 1: nosuch-program: not found\n", 127),
        ("busybox", "nosuch-program", "sh: nosuch-program: not found\n", 127),
        ("debian", "\n\nnosuch-program", "sh: 3: nosuch-program: not found\n", 127),
        ("debian", "/etc/passwd", "sh: 1: /etc/passwd: Permission denied\n", 126),
        ("debian", "cat < /nosuch", "sh: 1: cannot open /nosuch: No such file\n", 2),
        ("busybox", "cat < /nosuch", "sh: can't open /nosuch: no such file\n", 1),
        ("debian", "echo > /no/such", "sh: 1: cannot create /no/such: Directory nonexistent\n", 2),
        ("busybox", "echo > /no/such", "sh: can't create /no/such: nonexistent directory\n", 1),
        ("debian", "echo 'a", "sh: 1: Syntax error: Unterminated quoted string\n", 2),
        ("busybox", "echo 'a", "sh: syntax error: unterminated quoted string\n", 2),
        ("debian", "echo a;; b", "sh: 1: Syntax error: \";;\" unexpected\n", 2),
        ("debian", "set -u; echo $x", "sh: 1: x: parameter not set\n", 2),
        ("debian", ": ${x:?is missing}", "sh: 1: x: is missing\n", 2),
        ("debian", "echo ${x:0:1}", "sh: 1: Bad substitution\n", 2),
        ("debian", "cd /nosuch", "sh: 1: cd: can't cd to /nosuch\n", 2),
        ("busybox", "cd /nosuch", "sh: cd: line 0: can't cd to /nosuch: No such file or directory\n", 2),
        ("debian", "set -x; a=1; b=2 echo 'x y'", "+ a=1\n+ b=2 echo x y\n", 0),
    ];
    for (image, script, stderr, status) in cases {
        let output = sh(image, script).await;
        let expected = (stderr, Some(status));
        assert_eq!((output.stderr.as_str(), output.exit.status()), expected, "{image}: {script}");
    }
}

/// A script and what the real shell made of it.
#[derive(serde::Deserialize)]
struct Recorded {
    script: String,
    stdout: String,
    stderr: String,
    status: u8,
}

/// The recordings: dash 0.5.12 with GNU tools and bash 5.2.15 (both Debian 12), BusyBox 1.35.0 with its own.
const RECORDINGS: [(&str, &str, &str); 3] = [
    ("debian", "sh", include_str!("../../tests/fixtures/shell/dash-0.5.12.jsonl")),
    ("busybox", "sh", include_str!("../../tests/fixtures/shell/busybox-1.35.0.jsonl")),
    ("debian", "bash", include_str!("../../tests/fixtures/shell/bash-5.2.15.jsonl")),
];

#[tokio::test(start_paused = true)]
async fn scripts_print_and_end_as_recorded_from_the_real_shells() {
    let mut wrong = Vec::new();
    for (image, shell, recording) in RECORDINGS {
        for line in recording.lines() {
            let recorded: Recorded = serde_json::from_str(line).expect("invariant: a valid recording");
            let container = container(image);
            // The recorded shells were no process 1, which ignores signals.
            let _ = container.process(Vec::new(), Fd::null(), Fd::null(), Fd::null());
            container.fs().create_dir_all("/tmp/w").expect("invariant: an empty directory");
            let output = run_at(&container, "/tmp/w", &[shell, "-c", &recorded.script]).await;
            let status = output.exit.status();
            if (output.stdout.as_str(), output.stderr.as_str(), status)
                != (recorded.stdout.as_str(), recorded.stderr.as_str(), Some(recorded.status))
            {
                wrong.push(format!("{shell} of {image}: {line}\n  {output:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn what_only_the_lab_lacks_ends_the_whole_script() {
    let cases = [
        ("vi x; echo on", "the program vi"),
        ("echo a | vi | cat || true", "the program vi"),
        ("x=$(vi); echo on", "the program vi"),
        ("(vi) || true", "the program vi"),
        ("fg || true", "the shell command fg"),
        ("echo $RANDOM || true", "$RANDOM"),
        ("ls --no-such-option || true", "ls --no-such-option"),
    ];
    for (script, what) in cases {
        let output = sh("busybox", script).await;
        assert_eq!((output.exit, output.stdout.as_str()), (Exit::NotSimulated(what.to_owned()), ""), "{script}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_leaves_early_ends_the_writer() {
    let script = "i=0; { while [ $i -lt 100000 ]; do echo line $i; i=$((i+1)); done; echo never >&2; } | head -n 2";
    let output = sh("debian", script).await;
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("line 0\nline 1\n", ""));
    let output = sh("debian", "while :; do echo y; done | grep -q y; echo $?").await;
    assert_eq!(output.stdout, "0\n");
}

#[tokio::test(start_paused = true)]
async fn a_loop_without_end_lets_time_pass() {
    let container = container("busybox");
    let run = run_in(&container, &["sh", "-c", "while :; do :; done"], b"");
    let outcome = tokio::time::timeout(std::time::Duration::from_secs(5), run).await;
    assert!(outcome.is_err());
}

#[tokio::test(start_paused = true)]
async fn deep_scripts_end_instead_of_the_lab() {
    let nested = format!("{}true{}", "( ".repeat(90), " )".repeat(90));
    let scripts =
        [nested.as_str(), "f() { f; }; f", "eval 'x() { eval x; }; x'", "x='$(eval \"$x\")'; eval \"echo $x\""];
    for script in scripts {
        let output = sh("busybox", script).await;
        assert!(matches!(output.exit, Exit::NotSimulated(_) | Exit::Code(_)), "{script}: {output:?}");
    }
}

/// Pieces that scripts are made of, well-formed and not.
const FRAGMENTS: &[&str] = &[
    "echo",
    " ",
    " ",
    "\n",
    ";",
    "&&",
    "||",
    "|",
    "&",
    "(",
    ")",
    "{ ",
    "}",
    "if ",
    "then ",
    "else ",
    "fi",
    "while ",
    "do ",
    "done",
    "for x in a b",
    "case x in",
    "esac",
    ";;",
    "$x",
    "${x",
    "}",
    "${x:-y}",
    "${#x}",
    "${x%%*}",
    "$(",
    "`",
    "\"",
    "'",
    "\\",
    "<<E\n",
    "E\n",
    ">/tmp/f",
    "<",
    "2>&1",
    ">&-",
    "$((",
    "))",
    "1/0",
    "x=1",
    "export A=b",
    "set -e",
    "set -u",
    "read y",
    "exit 3",
    "return",
    "break",
    "[ a = b ]",
    "test",
    "!",
    "#",
    "*",
    "?",
    "[",
    "~",
    "é",
    "\0",
    "printf %s%d",
    "cat",
    "head -n1",
    "tail -c +1",
    "grep -o a",
    "sed s/a/b/",
    "eval",
    "exec",
    "trap x EXIT",
    "unset x",
    "shift 9",
    "f() {",
    "f",
    "local z",
    "cd /tmp",
    "wait",
    "$@",
    "$*",
    "$!",
    "tr a-z A-Z",
    "cut -f1",
    "sort -n",
    "xargs",
    "env",
    "seq 3",
    "kill -0 $$",
    ". /tmp/f",
    "command -v ls",
    "curl http://10.0.0.1/",
];

#[tokio::test(start_paused = true)]
async fn no_script_makes_the_lab_panic_or_hang() {
    use rand_pcg::Pcg32;
    use rand_pcg::rand_core::{Rng, SeedableRng};
    let mut rng = Pcg32::seed_from_u64(7);
    for image in ["debian", "busybox"] {
        for _ in 0..150 {
            let length = 1 + rng.next_u32() % 14;
            let script: String = (0..length).map(|_| FRAGMENTS[rng.next_u32() as usize % FRAGMENTS.len()]).collect();
            let container = container(image);
            let argv = ["sh", "-c", &script];
            let run = run_in(&container, &argv, b"input\n");
            // A script may well run for ever; then time runs out, which shows that it does not block the lab.
            tokio::time::timeout(std::time::Duration::from_secs(300), run).await.ok();
        }
    }
}
