//! The cells of `kubectl get`: single facts of an object as short text or number.
//!
//! Invariant: a cell never fails; what is absent shows as kubectl shows it.

use jiff::Timestamp;
use serde_json::Value;

pub(super) fn at<'v>(object: &'v Value, path: &str) -> &'v str {
    object.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn list<'v>(object: &'v Value, path: &str) -> &'v [Value] {
    object.pointer(path).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

pub(super) fn text(object: &Value, path: &str) -> Value {
    at(object, path).into()
}

pub(super) fn or_none(object: &Value, path: &str) -> Value {
    Some(at(object, path)).filter(|text| !text.is_empty()).unwrap_or("<none>").into()
}

pub(super) fn number(object: &Value, path: &str) -> Value {
    object.pointer(path).and_then(Value::as_i64).unwrap_or(0).into()
}

pub(super) fn data_count(object: &Value) -> Value {
    let size = |name: &str| object.get(name).and_then(Value::as_object).map_or(0, serde_json::Map::len);
    (size("data") + size("binaryData")).into()
}

pub(super) fn pairs(map: Option<&Value>) -> Value {
    let pairs = map.and_then(Value::as_object).into_iter().flatten();
    let mut pairs: Vec<String> =
        pairs.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect();
    pairs.sort();
    if pairs.is_empty() { "<none>".into() } else { pairs.join(",").into() }
}

pub(super) fn joined(object: &Value, path: &str, member: &str, none: &str) -> Value {
    let found: Vec<String> = list(object, path)
        .iter()
        .filter_map(|item| item.get(member))
        .map(|value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned))
        .collect();
    if found.is_empty() { none.into() } else { found.join(",").into() }
}

pub(super) fn template_list(object: &Value, member: &str) -> Value {
    joined(object, "/spec/template/spec/containers", member, "<none>")
}

pub(super) fn ready_of(object: &Value, ready: &str, wanted: &str) -> Value {
    let number = |path: &str| object.pointer(path).and_then(Value::as_i64).unwrap_or(0);
    format!("{}/{}", number(ready), number(wanted)).into()
}

/// `creationTimestamp` as a short age.
pub(super) fn age(object: &Value, now: Timestamp) -> Value {
    since(object, &["/metadata/creationTimestamp"], now)
}

pub(super) fn since(object: &Value, paths: &[&str], now: Timestamp) -> Value {
    let stamp = paths.iter().map(|path| at(object, path)).find(|text| !text.is_empty());
    let Some(stamp) = stamp else { return "<unknown>".into() };
    stamp.parse().map_or_else(|_| "<invalid>".into(), |at| duration_text(at, now).into())
}

/// The time from `from` to `now` as kubectl shortens it.
pub(super) fn duration_text(from: Timestamp, now: Timestamp) -> String {
    human_duration(now.as_second().saturating_sub(from.as_second()))
}

fn human_duration(seconds: i64) -> String {
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let days = hours / 24;
    match seconds {
        ..-1 => "<invalid>".into(),
        -1..1 => "0s".into(),
        1..120 => format!("{seconds}s"),
        _ if minutes < 10 => with_rest(minutes, "m", seconds % 60, "s"),
        _ if minutes < 180 => format!("{minutes}m"),
        _ if hours < 8 => with_rest(hours, "h", minutes % 60, "m"),
        _ if hours < 48 => format!("{hours}h"),
        _ if days < 8 => with_rest(days, "d", hours % 24, "h"),
        _ if days < 730 => format!("{days}d"),
        _ if days < 2920 => with_rest(days / 365, "y", days % 365, "d"),
        _ => format!("{}y", days / 365),
    }
}

fn with_rest(whole: i64, unit: &str, rest: i64, rest_unit: &str) -> String {
    if rest == 0 { format!("{whole}{unit}") } else { format!("{whole}{unit}{rest}{rest_unit}") }
}

pub(super) fn external_ip(service: &Value) -> Value {
    match at(service, "/spec/type") {
        "ExternalName" => text(service, "/spec/externalName"),
        "LoadBalancer" => joined(service, "/status/loadBalancer/ingress", "ip", "<pending>"),
        _ => joined(service, "/spec/externalIPs", "ip", "<none>"),
    }
}

pub(super) fn service_ports(service: &Value) -> Value {
    let ports = list(service, "/spec/ports").iter().map(|port| {
        let value = |name: &str| port.get(name).and_then(Value::as_i64).unwrap_or(0);
        let protocol = at(port, "/protocol");
        match value("nodePort") {
            0 => format!("{}/{protocol}", value("port")),
            node => format!("{}:{node}/{protocol}", value("port")),
        }
    });
    let ports: Vec<String> = ports.collect();
    if ports.is_empty() { "<none>".into() } else { ports.join(",").into() }
}

/// The first three addresses with their ports, and how many more there are.
pub(super) fn endpoints(object: &Value) -> Value {
    let mut found: Vec<String> = Vec::new();
    for subset in list(object, "/subsets") {
        for address in list(subset, "/addresses") {
            let ip = at(address, "/ip");
            let ports = list(subset, "/ports");
            if ports.is_empty() {
                found.push(ip.to_owned());
            }
            found.extend(ports.iter().filter_map(|port| Some(format!("{ip}:{}", port.get("port")?))));
        }
    }
    shortened(&found)
}

pub(super) fn slice_endpoints(object: &Value) -> Value {
    let endpoints = list(object, "/endpoints").iter().flat_map(|endpoint| list(endpoint, "/addresses"));
    let found: Vec<String> = endpoints.filter_map(Value::as_str).map(ToOwned::to_owned).collect();
    if found.is_empty() { "<unset>".into() } else { shortened(&found) }
}

fn shortened(found: &[String]) -> Value {
    match found.len() {
        0 => "<none>".into(),
        1..=3 => found.join(",").into(),
        more => format!("{} + {} more...", found[..3].join(","), more - 3).into(),
    }
}

pub(super) fn job_status(job: &Value) -> Value {
    let holds = |kind: &str| {
        list(job, "/status/conditions").iter().any(|one| at(one, "/type") == kind && at(one, "/status") == "True")
    };
    if let Some(end) = ["Complete", "Failed"].into_iter().find(|kind| holds(kind)) {
        return end.into();
    }
    if job.pointer("/metadata/deletionTimestamp").is_some() {
        return "Terminating".into();
    }
    ["Suspended", "FailureTarget", "SuccessCriteriaMet"]
        .into_iter()
        .find(|kind| holds(kind))
        .unwrap_or("Running")
        .into()
}

pub(super) fn job_completions(job: &Value) -> Value {
    let number = |path: &str| job.pointer(path).and_then(Value::as_i64);
    let succeeded = number("/status/succeeded").unwrap_or(0);
    match (number("/spec/completions"), number("/spec/parallelism").unwrap_or(0)) {
        (Some(wanted), _) => format!("{succeeded}/{wanted}").into(),
        (None, parallel @ 2..) => format!("{succeeded}/1 of {parallel}").into(),
        (None, _) => format!("{succeeded}/1").into(),
    }
}

pub(super) fn job_duration(job: &Value, now: Timestamp) -> Value {
    let Ok(start) = at(job, "/status/startTime").parse::<Timestamp>() else { return "".into() };
    let end = at(job, "/status/completionTime").parse().unwrap_or(now);
    duration_text(start, end).into()
}

#[cfg(test)]
mod tests {
    use super::human_duration;

    #[test]
    fn ages_are_shortened_as_kubectl_does() {
        let cases = [
            (-5, "<invalid>"),
            (-1, "0s"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (185, "3m5s"),
            (600, "10m"),
            (10_799, "179m"),
            (10_800, "3h"),
            (11_000, "3h3m"),
            (28_800, "8h"),
            (172_799, "47h"),
            (172_800, "2d"),
            (180_000, "2d2h"),
            (691_200, "8d"),
            (63_072_000, "2y"),
            (70_000_000, "2y80d"),
            (252_288_000, "8y"),
        ];
        for (seconds, shown) in cases {
            assert_eq!(human_duration(seconds), shown, "{seconds}");
        }
    }
}
