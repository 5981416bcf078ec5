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

/// A count as `270 k`, `0.27 M`, …: three figures or so, with k, M or G.
pub fn short(n: u64) -> String {
    let (scaled, unit) = match n {
        0..1_000 => return n.to_string(),
        1_000..1_000_000 => (n as f64 / 1e3, "k"),
        1_000_000..1_000_000_000 => (n as f64 / 1e6, "M"),
        _ => (n as f64 / 1e9, "G"),
    };
    let places = if scaled < 9.995 { 2 } else { usize::from(scaled < 99.95) };
    format!("{scaled:.places$} {unit}")
}

/// A count as people give it: `10M`, `1.5G`, `600k`, `1e9` or `61706`.
pub fn count(text: &str) -> Result<u64, String> {
    let (digits, scale) = match text.trim_end().char_indices().last() {
        Some((at, 'k' | 'K')) => (&text[..at], 1e3),
        Some((at, 'm' | 'M')) => (&text[..at], 1e6),
        Some((at, 'g' | 'G')) => (&text[..at], 1e9),
        _ => (text, 1.0),
    };
    match digits.trim().parse::<f64>() {
        Ok(n) if n >= 0.0 && n * scale <= u64::MAX as f64 => Ok((n * scale).round() as u64),
        _ => Err("give a number such as 10M, 1.5G, 600k or 1e9".into()),
    }
}

/// A text of so many characters at most, with `…` where more are left out.
pub fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let cut: String = text.chars().take(most - 1).collect();
    format!("{}…", cut.trim_end())
}

/// A number with two places at most: `3`, `3.5`, `0.67`.
pub fn decimal(x: f64) -> String {
    let text = format!("{x:.2}");
    match text.trim_end_matches('0').trim_end_matches('.') {
        "-0" => "0".into(),
        short => short.into(),
    }
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

/// A time, in seconds since 1970, as `2026-11-23 17:05 UTC`.
pub fn date(time: u64) -> String {
    let (days, minutes) = (time / 86_400, time % 86_400 / 60);
    // The civil calendar from days, in eras of 400 years that begin in March (Hinnant, "chrono-compatible low-level date
    // algorithms").
    let z = days + 719_468;
    let (era, of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02} UTC", minutes / 60, minutes % 60)
}

/// Bytes as `12.3 MB` (10⁶) or `1.23 GB`.
pub fn bytes(n: usize) -> String {
    let mb = n as f64 / 1e6;
    if mb < 1000.0 { format!("{mb:.1} MB") } else { format!("{:.2} GB", mb / 1e3) }
}

/// The most memory that this process has had at once, in bytes; `None` where the system does not say.
pub fn peak_memory() -> Option<usize> {
    kilobytes("/proc/self/status", "VmHWM:")
}

/// The memory that this process has now, in bytes; `None` where the system does not say.
pub fn resident_memory() -> Option<usize> {
    kilobytes("/proc/self/status", "VmRSS:")
}

/// The memory that this machine could still give to a process, in bytes; `None` where the system does not say.
pub fn available_memory() -> Option<usize> {
    kilobytes("/proc/meminfo", "MemAvailable:")
}

/// What a line of Linux's own files says in kilobytes, as bytes.
fn kilobytes(file: &str, name: &str) -> Option<usize> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix(name))?;
    Some(line.trim().trim_end_matches(" kB").parse::<usize>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_grouped_and_rounded() {
        assert_eq!([thousands(0), thousands(999), thousands(61_706)], ["0", "999", "61,706"]);
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!([short(999), short(61_706), short(269_722), short(4_231_976)], ["999", "61.7 k", "270 k", "4.23 M"]);
        assert_eq!([short(138_357_544), short(15_470_264_320)], ["138 M", "15.5 G"]);
        assert_eq!([decimal(3.0), decimal(-0.5), decimal(2.0 / 3.0), decimal(-0.001)], ["3", "-0.5", "0.67", "0"]);
        assert_eq!([shortened("3×3 pad 1", 9), shortened("3×3 pad 1", 5)], ["3×3 pad 1", "3×3…"]);
        assert_eq!(percent(0.97504), "97.50 %");
        assert_eq!([duration(4.4), duration(185.0), duration(7385.0)], ["4 s", "3:05", "2:03:05"]);
        // By `date -u -d @…`.
        assert_eq!(
            [date(0), date(951_782_399), date(951_782_400)],
            ["1970-01-01 00:00 UTC", "2000-02-28 23:59 UTC", "2000-02-29 00:00 UTC"]
        );
        assert_eq!([date(1_795_442_700), date(4_107_542_399)], ["2026-11-23 14:05 UTC", "2100-02-28 23:59 UTC"]);
        let counts = ["10M", "1.5G", "600k", "1e9", "61706", " 2 M "].map(count);
        assert_eq!(counts, [10_000_000, 1_500_000_000, 600_000, 1_000_000_000, 61_706, 2_000_000].map(Ok));
        for text in ["", "M", "-1", "ten", "NaN", "1e99", "inf"] {
            assert!(count(text).is_err(), "{text}");
        }
        assert_eq!([bytes(12_345_678), bytes(1_234_567_890)], ["12.3 MB", "1.23 GB"]);
    }
}
