//! Figures as people read them.

/// 1234567 as `1,234,567`.
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, d) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(d);
    }
    out
}

/// A share as `97.50 %`.
pub fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

/// Seconds as `4 s`, `3:05` (minutes) or `2:03:05` (hours).
pub fn duration(seconds: f64) -> String {
    let s = seconds.max(0.0).round() as u64;
    match s {
        0..60 => format!("{s} s"),
        60..3600 => format!("{}:{:02}", s / 60, s % 60),
        _ => format!("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60),
    }
}

/// Bytes as `12.3 MB` (10⁶) or `1.23 GB`.
pub fn bytes(n: usize) -> String {
    let mb = n as f64 / 1e6;
    if mb < 1000.0 { format!("{mb:.1} MB") } else { format!("{:.2} GB", mb / 1e3) }
}

/// The most memory that this process has had at once, in bytes; `None` where the system does not say.
pub fn peak_memory() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<usize>().ok()? * 1024)
}

/// The memory that this machine could still give to a process, in bytes; `None` where the system does not say.
pub fn available_memory() -> Option<usize> {
    let info = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = info.lines().find_map(|l| l.strip_prefix("MemAvailable:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<usize>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_grouped_and_rounded() {
        assert_eq!([thousands(0), thousands(999), thousands(61_706)], ["0", "999", "61,706"]);
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(percent(0.97504), "97.50 %");
        assert_eq!([duration(4.4), duration(185.0), duration(7385.0)], ["4 s", "3:05", "2:03:05"]);
        assert_eq!([bytes(12_345_678), bytes(1_234_567_890)], ["12.3 MB", "1.23 GB"]);
    }
}
