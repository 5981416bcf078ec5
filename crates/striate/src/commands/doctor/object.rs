//! A report as one JSON object.

use serde_json::{Value, json};
use striate_data::{Case, Fault, Finding, Report, Severity};

/// Everything, every case of every finding.
pub fn object(report: &Report, data: &str, also: &[Fault], seconds: f64) -> Value {
    let f = &report.figures;
    let formats: serde_json::Map<_, _> = f.formats.iter().map(|(name, n)| ((*name).to_owned(), json!(n))).collect();
    let sizes = |[least, median, most]: [u32; 3]| json!({"least": least, "median": median, "most": most});
    let class = |class: &striate_data::ClassCount| {
        let parts = report.parts.iter().zip(&class.images);
        let images: serde_json::Map<_, _> = parts
            .map(|(part, n)| (if part.is_empty() { "images".to_owned() } else { (*part).to_owned() }, json!(n)))
            .collect();
        json!({"class": class.name, "images": images})
    };
    json!({
        "data": data, "name": report.name, "images": f.images, "readable": f.readable, "bytes": f.bytes,
        "passed_over": f.passed_over, "seconds": seconds,
        "errors": report.count(Severity::Error),
        "warnings": report.count(Severity::Warning),
        "notices": report.count(Severity::Notice),
        "classes": report.classes.iter().map(class).collect::<Vec<_>>(),
        "formats": formats, "grey": f.grey, "width": sizes(f.widths), "height": sizes(f.heights),
        "left_out_by_cleaning": report.left_out_by_cleaning(also),
        "findings": report.findings.iter().map(|finding| self::finding(finding, also)).collect::<Vec<_>>(),
    })
}

fn finding(finding: &Finding, also: &[Fault]) -> Value {
    let fault = finding.fault;
    let excluded = fault.is_excluded() || also.contains(&fault);
    let case = |case: &Case| {
        let places = case.places.iter().map(|place| {
            json!({"path": place.path, "part": place.part, "class": place.class, "exclude": excluded && place.excess})
        });
        json!({"detail": case.detail, "places": places.collect::<Vec<_>>()})
    };
    json!({
        "fault": fault.code(), "severity": fault.severity().name(), "title": fault.title(), "remedy": fault.remedy(),
        "count": finding.cases.len(), "cases": finding.cases.iter().map(case).collect::<Vec<_>>(),
    })
}
