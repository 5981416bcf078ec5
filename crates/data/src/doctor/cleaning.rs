//! The cleaning manifest: CSV of path, action, fault and detail, one row for each file of each case.
//!
//! `exclude` leaves a file out, `keep` is there to be changed by hand. A file is left out if any of its rows says so.

use super::fault::Fault;
use super::report::{Place, Report};

impl Report {
    /// The cleaning manifest's text. Left out is what [`Fault::is_excluded`] says and the faults in `also`: single files
    /// always, of copies all but one, and all where one picture has several classes.
    pub fn cleaning(&self, also: &[Fault]) -> String {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let mut row = |fields: [&str; 4]| {
            // Writing into memory does not fail.
            let _ = writer.write_record(fields);
        };
        row(["path", "action", "fault", "detail"]);
        for finding in &self.findings {
            for case in &finding.cases {
                for place in case.places.iter().filter(|place| is_file_of_the_set(place)) {
                    let exclude = place.excess && is_left_out(finding.fault, also);
                    let action = if exclude { "exclude" } else { "keep" };
                    row([&place.path, action, finding.fault.code(), &case.detail]);
                }
            }
        }
        String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
    }

    /// How many images that cleaning leaves out.
    pub fn left_out_by_cleaning(&self, also: &[Fault]) -> usize {
        let excluded = self.findings.iter().filter(|finding| is_left_out(finding.fault, also));
        let places = excluded.flat_map(|finding| &finding.cases).flat_map(|case| &case.places);
        let mut paths: Vec<&str> =
            places.filter(|place| place.excess && is_file_of_the_set(place)).map(|place| place.path.as_str()).collect();
        paths.sort_unstable();
        paths.dedup();
        paths.len()
    }
}

fn is_left_out(fault: Fault, also: &[Fault]) -> bool {
    fault.is_excluded() || also.contains(&fault)
}

/// Files that are passed over anyway need no row.
fn is_file_of_the_set(place: &Place) -> bool {
    place.image.is_some() || place.excess
}
