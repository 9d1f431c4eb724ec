//! Matching over a log of 10 MB: bytes a second.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use periplus_core::expect::{CountSpec, LogJudgement, LogSpec};

const LOG_BYTES: usize = 10 << 20;

/// A proxy's access log whose last line is the one that is looked for.
fn log() -> String {
    let mut text = String::with_capacity(LOG_BYTES + 300);
    let mut number = 0;
    while text.len() < LOG_BYTES {
        number += 1;
        text.push_str(&format!(
            "[2026-01-01T00:00:{:02}.{:03}Z] \"- - -\" 0 - - - \"-\" 844 5871 {number} - \"-\" \"-\" \"-\" \"-\" \
             \"10.0.{}.{}:3128\" outbound|3128||other.example 10.244.0.7:41122 10.0.0.9:3128 10.244.0.7:41120 - -\n",
            number / 1_000 % 60,
            number % 1_000,
            number / 250 % 250,
            number % 250,
        ));
    }
    text.push_str(
        "[2026-01-01T00:01:00.000Z] \"- - -\" 0 - - - \"-\" 844 5871 99 - \"-\" \"-\" \"-\" \"-\" \
         \"10.9.9.9:3128\" outbound|3128||my-company-proxy.com 10.244.0.7:41122 10.9.9.9:3128 10.244.0.7:41120 - -\n",
    );
    text
}

fn judge(bencher: Bencher<'_, '_>, spec: &LogSpec) {
    let log = log();
    let check = spec.compile(&mut |text: &str| Ok::<_, ()>(text.to_owned())).expect("a valid check");
    bencher.counter(BytesCount::of_str(log.as_str())).bench_local(|| {
        let judgement = check.judge(black_box(&log).lines());
        assert!(matches!(judgement, LogJudgement::Held { .. }), "the last line holds");
    });
}

/// Literal texts on one line.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn contains(bencher: Bencher<'_, '_>) {
    let contains = vec!["my-company-proxy.com".to_owned(), "10.9.9.9:3128".to_owned()];
    judge(bencher, &LogSpec { contains, ..LogSpec::default() });
}

/// A documented line with tokens.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn lines(bencher: Bencher<'_, '_>) {
    let line = "[[timestamp]] \"- - -\" 0 -[..] [int] [int] [int] - \"-\" \"-\" \"-\" \"-\" \"10.9.9.9:3128\" \
                outbound|3128||my-company-proxy.com [addr] 10.9.9.9:3128 [addr] -[..]";
    judge(bencher, &LogSpec { lines: Some(line.to_owned()), ..LogSpec::default() });
}

/// A regular expression, every match counted.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn count_of_a_regex(bencher: Bencher<'_, '_>) {
    let count = Some(CountSpec { min: Some(1), max: None });
    judge(bencher, &LogSpec { regex: Some(r"outbound\|\d+\|\|my-".to_owned()), count, ..LogSpec::default() });
}
