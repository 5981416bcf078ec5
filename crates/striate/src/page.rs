//! Pages that stand alone: HTML with everything in it, readable on light and dark screens and on paper, without a network.
//! Whatever comes from names is escaped.

use striate_data::data_uri;

/// A page under construction.
pub struct Page {
    title: String,
    body: String,
}

/// A cell of a table.
pub struct Cell {
    html: String,
    /// What it is sorted by, where that is not its text.
    key: Option<f64>,
    /// Whether it stands to the right.
    right: bool,
}

impl Cell {
    /// A text.
    pub fn text(text: &str) -> Cell {
        Cell { html: escape(text), key: None, right: false }
    }

    /// A figure, to the right, sorted by its value; NaN last.
    pub fn figure(text: &str, value: f64) -> Cell {
        Cell { html: escape(text), key: Some(value), right: true }
    }

    /// A piece of HTML, to the left, sorted by a value.
    pub fn html(html: String, value: f64) -> Cell {
        Cell { html, key: Some(value), right: false }
    }
}

impl Page {
    /// An empty page.
    pub fn new(title: &str) -> Page {
        Page { title: title.into(), body: String::new() }
    }

    /// Begins a section.
    pub fn section(&mut self, heading: &str) {
        self.body += &format!("<h2>{}</h2>\n", escape(heading));
    }

    /// A paragraph of text.
    pub fn paragraph(&mut self, text: &str) {
        self.body += &format!("<p>{}</p>\n", escape(text));
    }

    /// A remark under something, in small print.
    pub fn note(&mut self, text: &str) {
        self.body += &format!("<p class=\"note\">{}</p>\n", escape(text));
    }

    /// Text as it stands, in letters of one width.
    pub fn verbatim(&mut self, text: &str) {
        self.body += &format!("<pre>{}</pre>\n", escape(text));
    }

    /// HTML as it is.
    pub fn html(&mut self, html: &str) {
        self.body += html;
        self.body.push('\n');
    }

    /// The most important figures, each with what it is and a remark.
    pub fn tiles(&mut self, tiles: &[(String, String, String)]) {
        self.body += "<div class=\"tiles\">\n";
        for (what, figure, remark) in tiles {
            let (what, figure, remark) = (escape(what), escape(figure), escape(remark));
            self.body += &format!("<div><small>{what}</small><b>{figure}</b><small>{remark}</small></div>\n");
        }
        self.body += "</div>\n";
    }

    /// Names with what belongs to them.
    pub fn facts(&mut self, facts: &[(&str, String)]) {
        self.body += "<table class=\"facts\">\n";
        for (name, value) in facts {
            self.body += &format!("<tr><th>{}</th><td>{}</td></tr>\n", escape(name), escape(value));
        }
        self.body += "</table>\n";
    }

    /// A table that is sorted by clicks on its header, where scripts are allowed.
    pub fn table(&mut self, header: &[&str], rows: &[Vec<Cell>]) {
        let figures = |column: usize| rows.iter().any(|r| r.get(column).is_some_and(|c| c.right));
        let class = |column: usize| if figures(column) { " class=\"n\"" } else { "" };
        self.body += "<div class=\"wide\"><table class=\"rows\">\n<thead><tr>";
        for (i, name) in header.iter().enumerate() {
            self.body += &format!("<th{}>{}</th>", class(i), escape(name));
        }
        self.body += "</tr></thead>\n<tbody>\n";
        for row in rows {
            self.body += "<tr>";
            for (i, cell) in row.iter().enumerate() {
                // What is not known is less than anything.
                let key = cell.key.map(|k| if k.is_finite() { k.to_string() } else { "-1e99".into() });
                let key = key.map(|k| format!(" data-k=\"{k}\""));
                self.body += &format!("<td{}{}>{}</td>", class(i), key.unwrap_or_default(), cell.html);
            }
            self.body += "</tr>\n";
        }
        self.body += "</tbody></table></div>\n";
    }

    /// An SVG drawing that brings its own white paper.
    pub fn figure(&mut self, svg: &str, alt: &str) {
        let data = data_uri("image/svg+xml", svg.as_bytes());
        self.body += &format!("<img class=\"figure\" alt=\"{}\" src=\"{data}\">\n", escape(alt));
    }

    /// The page.
    pub fn finish(self) -> String {
        let title = escape(&self.title);
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
             content=\"width=device-width,initial-scale=1\">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
             <main>\n<h1>{title}</h1>\n{}<footer>Striate {}</footer>\n</main>\n<script>{SORT}</script>\n</body>\n</html>\n",
            self.body,
            env!("CARGO_PKG_VERSION"),
        )
    }
}

/// Text so that it means itself in HTML, also in attributes. Control characters, which no page may hold, become `�`.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&#39;",
            '\n' | '\t' => out.push(c),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

const STYLE: &str = "
:root{color-scheme:light dark;--ink:#1c2127;--soft:#5b6470;--paper:#fff;--panel:#f4f6f8;--line:#d9dee4;--blue:#0072b2;--orange:#d55e00}
@media (prefers-color-scheme:dark){:root{--ink:#e4e7eb;--soft:#9aa4b0;--paper:#15181c;--panel:#1f242a;--line:#39414a;--blue:#3592d4;--orange:#f08a3c}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}
main{max-width:1160px;margin:0 auto;padding:24px 20px 48px}
h1{font-size:26px;margin:0 0 4px}
h2{font-size:19px;margin:36px 0 10px;border-bottom:1px solid var(--line);padding-bottom:4px}
p{margin:8px 0;max-width:80ch}
.note,footer{color:var(--soft);font-size:13px}
footer{margin-top:40px}
.tiles{display:flex;flex-wrap:wrap;gap:10px;margin:16px 0}
.tiles div{background:var(--panel);border:1px solid var(--line);border-radius:6px;padding:10px 14px;min-width:132px}
.tiles b{display:block;font-size:23px;font-variant-numeric:tabular-nums;line-height:1.3}
.tiles small{color:var(--soft);display:block}
table{border-collapse:collapse;font-size:14px;font-variant-numeric:tabular-nums}
td,th{padding:3px 12px 3px 0;text-align:left;vertical-align:top}
.rows td,.rows th{border-bottom:1px solid var(--line)}
.rows th{cursor:pointer;white-space:nowrap}
.rows .n{text-align:right}
.facts th{font-weight:normal;color:var(--soft);padding-right:20px;white-space:nowrap}
.facts td{overflow-wrap:anywhere}
.wide{overflow-x:auto}
pre{background:var(--panel);border:1px solid var(--line);border-radius:6px;padding:12px;overflow-x:auto;font:13px/1.45 ui-monospace,'DejaVu Sans Mono',Consolas,monospace}
.figure{max-width:100%;background:#fff;border:1px solid var(--line);border-radius:6px}
.pictures{display:grid;grid-template-columns:repeat(auto-fill,minmax(168px,1fr));gap:12px}
.pictures figure{margin:0;background:var(--panel);border:1px solid var(--line);border-radius:6px;padding:8px;break-inside:avoid;overflow-wrap:anywhere;font-size:13px;line-height:1.35}
.pictures img{display:block;width:100%;height:150px;object-fit:contain;margin-bottom:6px}
.pictures img.pixels{image-rendering:pixelated}
.pictures .lost{height:150px;display:grid;place-items:center;color:var(--soft)}
.right{color:var(--blue)}.wrong{color:var(--orange)}
svg text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}
.bar{display:inline-block;height:9px;background:var(--blue);border-radius:2px;vertical-align:middle}
@media print{body{font-size:11px}main{max-width:none;padding:0}h2{break-after:avoid}.tiles div,.figure,tr{break-inside:avoid}.rows th{cursor:auto}}
";

/// Sorts a table's rows by the column whose header was clicked, the other way round at the next click.
const SORT: &str = "
document.querySelectorAll('table.rows th').forEach(th=>th.addEventListener('click',()=>{
const body=th.closest('table').tBodies[0],i=th.cellIndex,down=th.dataset.d=th.dataset.d==='1'?'0':'1';
const key=r=>{const c=r.cells[i];return c.dataset.k===undefined?c.textContent:+c.dataset.k};
const rows=[...body.rows].sort((a,b)=>{const x=key(a),y=key(b);return typeof x==='number'&&typeof y==='number'?x-y:String(x).localeCompare(String(y))});
if(down==='1'&&th.classList.contains('n'))rows.reverse();else if(down==='0'&&!th.classList.contains('n'))rows.reverse();
rows.forEach(r=>body.appendChild(r))}));
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_break_out_of_a_page() {
        let evil = "</td><script>alert('1')</script>\" onload=\"x\u{0}&";
        let mut page = Page::new(evil);
        page.section(evil);
        page.paragraph(evil);
        page.facts(&[("name", evil.into())]);
        page.table(&["class"], &[vec![Cell::text(evil)]]);
        page.tiles(&[(evil.into(), evil.into(), evil.into())]);
        page.figure("<svg/>", evil);
        let html = page.finish();
        assert!(!html.contains("<script>alert") && !html.contains("\" onload") && !html.contains('\0'), "{html}");
        assert_eq!(html.matches("<script>").count(), 1, "its own");
        assert!(!html.contains("http"), "nothing is fetched from anywhere");
    }

    #[test]
    fn figures_stand_to_the_right_and_are_sorted_by_value() {
        let mut page = Page::new("t");
        page.table(
            &["name", "share"],
            &[vec![Cell::text("a"), Cell::figure("50 %", 0.5)], vec![Cell::text("b"), Cell::figure("–", f64::NAN)]],
        );
        let html = page.finish();
        assert!(html.contains("<th>name</th><th class=\"n\">share</th>"));
        assert!(html.contains("<td class=\"n\" data-k=\"0.5\">50 %</td>") && html.contains("<td>a</td>"));
        assert!(!html.contains("NaN"));
    }
}
