//! `ps`, `pidof`, `uname`, `nproc`, `arch`, `tty`, `mktemp`, `nohup`, `time`, and the one line of perl that everybody runs.
//!
//! Invariant: the machine is the lab's node, the same for every container.

use super::opts::Opts;
use super::text::ended;
use crate::fs::OpenOptions;
use crate::process::{Exit, Process};

/// The kernel that nodes report.
const KERNEL: &str = "6.1.0";
/// How many processors the lab's nodes report.
const NODE_CPUS: u32 = 8;

/// `uname [-asnrvm]`
pub(super) async fn uname(process: Process) -> Exit {
    ended(
        async {
            let opts = Opts::parse(&process, "asnrvmo", &[("all", 'a'), ("machine", 'm'), ("kernel-release", 'r')])?;
            if opts.has('v') || opts.has('a') || opts.has('r') {
                return Err(Exit::not_simulated("the version of the kernel"));
            }
            let host = process.container.spec().hostname.clone();
            let all = [('s', "Linux"), ('n', host.as_str()), ('r', KERNEL), ('m', "x86_64"), ('o', "GNU/Linux")];
            let mut parts: Vec<&str> =
                all.iter().filter(|(letter, _)| opts.has(*letter)).map(|(_, text)| *text).collect();
            if parts.is_empty() {
                parts.push("Linux");
            }
            process.print(parts.join(" ") + "\n").await.map(|()| Exit::SUCCESS)
        }
        .await,
    )
}

/// `arch`
pub(super) async fn arch(process: Process) -> Exit {
    ended(process.print("x86_64\n").await.map(|()| Exit::SUCCESS))
}

/// `nproc`: as many processors as the lab's nodes report.
pub(super) async fn nproc(process: Process) -> Exit {
    if !process.args().is_empty() {
        return Exit::not_simulated(format!("nproc {}", process.args().join(" ")));
    }
    ended(process.print(format!("{NODE_CPUS}\n")).await.map(|()| Exit::SUCCESS))
}

/// `tty`
pub(super) async fn tty(process: Process) -> Exit {
    if process.stdin().is_terminal() {
        return ended(process.print("/dev/pts/0\n").await.map(|()| Exit::SUCCESS));
    }
    ended(process.print("not a tty\n").await.map(|()| Exit::FAILURE))
}

/// `mktemp [-d] [-u] [-t] [-p DIR] [TEMPLATE]`: names follow from the processes so far, and never repeat.
pub(super) async fn mktemp(process: Process) -> Exit {
    ended(
        async {
            let opts = Opts::parse(&process, "dqup:t", &[("directory", 'd'), ("tmpdir", 'p'), ("dry-run", 'u')])?;
            let dir = opts.value('p').or_else(|| process.var("TMPDIR")).unwrap_or("/tmp");
            let template = match opts.operands.as_slice() {
                [] => format!("{dir}/tmp.XXXXXXXXXX"),
                [template] if opts.has('p') || opts.has('t') => format!("{dir}/{template}"),
                [template] => template.clone(),
                _ => return Err(Exit::not_simulated("mktemp with several templates")),
            };
            let marks = template.len() - template.trim_end_matches('X').len();
            if marks < 6 && process.image.is_busybox() || marks < 3 {
                let text = if process.image.is_busybox() {
                    "Invalid argument".to_owned()
                } else {
                    format!("too few X's in template '{template}'")
                };
                return Ok(process.fail(1, text).await);
            }
            let stem = &template[..template.len() - marks];
            let mut seed = u64::from(process.pid).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
            for _ in 0..1000 {
                let mut name = stem.to_owned();
                for _ in 0..marks {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let letters = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
                    name.push(char::from(letters[usize::try_from((seed >> 33) % 62).unwrap_or(0)]));
                }
                let path = process.path(&name);
                if process.fs.exists(&path) {
                    continue;
                }
                let made = match (opts.has('u'), opts.has('d')) {
                    (true, _) => Ok(()),
                    (false, true) => process.fs.create_dir(&path, 0o700),
                    (false, false) => {
                        process.fs.open(&path, OpenOptions { mode: 0o600, ..OpenOptions::writing() }).map(|_| ())
                    }
                };
                return match made {
                    Ok(()) => process.print(format!("{name}\n")).await.map(|()| Exit::SUCCESS),
                    Err(error) if process.image.is_busybox() => {
                        Ok(process.fail(1, format!("{template}: {error}")).await)
                    }
                    Err(error) => {
                        let kind = if opts.has('d') { "directory" } else { "file" };
                        let text = format!("failed to create {kind} via template '{template}': {error}");
                        Ok(process.fail(1, text).await)
                    }
                };
            }
            Err(Exit::not_simulated("mktemp among so many files"))
        }
        .await,
    )
}

/// `nohup COMMAND [ARG...]`: without a terminal it only runs the command.
pub(super) async fn nohup(process: Process) -> Exit {
    let command = process.args().to_vec();
    if command.is_empty() {
        return super::usage::incomplete(&process, 125).await;
    }
    if process.stdout().is_terminal() {
        return Exit::not_simulated("nohup on a terminal");
    }
    let child = process.child(command);
    super::env::run(&process, child).await
}

/// BusyBox's `time COMMAND [ARG...]`.
pub(super) async fn time(process: Process) -> Exit {
    let command = process.args().to_vec();
    if command.is_empty() || command[0].starts_with('-') || !process.image.is_busybox() {
        return Exit::not_simulated("time with these arguments");
    }
    let began = process.clock.now();
    let child = process.child(command);
    let exit = super::env::run(&process, child).await;
    let took = process.clock.now().duration_since(began);
    let seconds = took.as_secs();
    let hundredths = took.subsec_millis() / 10;
    let text = format!("real\t{}m {}.{hundredths:02}s\nuser\t0m 0.00s\nsys\t0m 0.00s\n", seconds / 60, seconds % 60);
    process.warn(text).await;
    exit
}

/// `pidof NAME...`
pub(super) async fn pidof(process: Process) -> Exit {
    ended(
        async {
            let opts = Opts::parse(&process, "s", &[])?;
            let mut found: Vec<String> = process
                .container
                .processes()
                .into_iter()
                .filter(|info| {
                    let name = info.argv.first().map_or("", |name| crate::fs::file_name(name));
                    opts.operands.iter().any(|wanted| wanted == name)
                })
                .map(|info| info.pid.to_string())
                .collect();
            found.reverse();
            if opts.has('s') {
                found.truncate(1);
            }
            if found.is_empty() {
                return Ok(Exit::FAILURE);
            }
            process.print(found.join(" ") + "\n").await.map(|()| Exit::SUCCESS)
        }
        .await,
    )
}

/// BusyBox's `ps [-o ...]` without options: number, user, time, command.
pub(super) async fn ps(process: Process) -> Exit {
    let plain = process.args().iter().all(|arg| matches!(arg.as_str(), "aux" | "-ef" | "ax" | "-a" | "-e" | "-A"));
    if !process.image.is_busybox() || !plain {
        return Exit::not_simulated(format!("ps {}", process.args().join(" ")));
    }
    let mut lines = "PID   USER     TIME  COMMAND\n".to_owned();
    for info in process.container.processes() {
        let user = super::who::user_name(&process, info.uid).unwrap_or_else(|| info.uid.to_string());
        lines.push_str(&format!("{:5} {user:<8}  0:00 {}\n", info.pid, info.argv.join(" ")));
    }
    ended(process.print(lines).await.map(|()| Exit::SUCCESS))
}

/// How many digits of pi are worked out at most.
const MAX_DIGITS: usize = 10_000;

/// `perl -Mbignum=bpi -wle 'print bpi(N)'`, as Kubernetes' own example of a Job has it; `perl -v` and all else is not
/// simulated.
pub(super) async fn perl(process: Process) -> Exit {
    let args: Vec<&str> = process.args().iter().map(String::as_str).collect();
    let digits = match args.as_slice() {
        ["-Mbignum=bpi", "-wle", script] => script
            .strip_prefix("print bpi(")
            .and_then(|rest| rest.trim_end_matches(';').strip_suffix(')'))
            .and_then(|digits| digits.parse::<usize>().ok()),
        _ => None,
    };
    match digits {
        Some(digits) if (2..=MAX_DIGITS).contains(&digits) => {
            // A real one takes some seconds, too.
            process.clock.sleep(std::time::Duration::from_secs(2)).await;
            ended(process.print(pi(digits) + "\n").await.map(|()| Exit::SUCCESS))
        }
        _ => Exit::not_simulated(format!("perl {}", args.join(" "))),
    }
}

/// That many digits of pi, the last one rounded, by Machin's formula over large integers.
fn pi(digits: usize) -> String {
    const BASE: u64 = 1_000_000_000;
    let length = digits / 9 + 4;
    let divide = |number: &mut [u64], by: u64| {
        let mut rest = 0;
        for limb in number.iter_mut() {
            let value = rest * BASE + *limb;
            *limb = value / by;
            rest = value % by;
        }
    };
    let add = |sum: &mut [u64], term: &[u64]| {
        let mut carry = 0;
        for (limb, other) in sum.iter_mut().zip(term).rev() {
            let value = *limb + other + carry;
            *limb = value % BASE;
            carry = value / BASE;
        }
    };
    let subtract = |sum: &mut [u64], term: &[u64]| {
        let mut borrow = 0;
        for (limb, other) in sum.iter_mut().zip(term).rev() {
            let other = other + borrow;
            borrow = u64::from(*limb < other);
            *limb = *limb + borrow * BASE - other;
        }
    };
    // factor * arctan(1 / x)
    let arctan = |factor: u64, x: u64| {
        let mut power = vec![0; length];
        power[0] = factor;
        divide(&mut power, x);
        let mut sum = power.clone();
        let mut odd = 1;
        while power.iter().any(|limb| *limb != 0) {
            divide(&mut power, x * x);
            odd += 2;
            let mut term = power.clone();
            divide(&mut term, odd);
            if odd % 4 == 3 {
                subtract(&mut sum, &term);
            } else {
                add(&mut sum, &term);
            }
        }
        sum
    };
    let mut value = arctan(16, 5);
    subtract(&mut value, &arctan(4, 239));
    let decimals: String = value[1..].iter().map(|limb| format!("{limb:09}")).collect();
    let kept = digits - 1;
    let mut out: Vec<u8> = format!("3{}", &decimals[..kept]).into_bytes();
    if decimals.as_bytes().get(kept).is_some_and(|next| *next >= b'5') {
        for digit in out.iter_mut().rev() {
            if *digit == b'9' {
                *digit = b'0';
            } else {
                *digit += 1;
                break;
            }
        }
    }
    out.insert(1, b'.');
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::pi;

    #[test]
    fn pi_is_known_to_many_digits() {
        assert_eq!(pi(10), "3.141592654");
        assert_eq!(pi(40), "3.141592653589793238462643383279502884197");
        // Feynman's point: six nines from the 762nd decimal on.
        assert!(pi(771).ends_with("999999837"), "{}", pi(771));
    }
}
