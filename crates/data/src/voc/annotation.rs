//! One of VOC's annotations: the picture's name and size, and its objects with their boxes.

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;

/// Elements inside elements, at most.
const DEEPEST: usize = 64;

/// What an annotation says of a picture.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Annotation {
    pub(super) filename: Option<String>,
    /// Width and height; writers who do not know them write 0, which counts as unsaid.
    pub(super) size: Option<(u32, u32)>,
    pub(super) objects: Vec<Object>,
}

/// One object.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Object {
    pub(super) name: String,
    pub(super) difficult: bool,
    /// `xmin`, `ymin`, `xmax`, `ymax`: pixels counted from 1, both edges inside.
    pub(super) edges: [f64; 4],
}

/// An object as far as it has been read.
#[derive(Default)]
struct Partial {
    name: String,
    difficult: bool,
    edges: [Option<f64>; 4],
}

impl Annotation {
    /// Reads an annotation's XML.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut reader = Reader::from_str(text);
        let mut found = Self::default();
        let mut object = Partial::default();
        let (mut width, mut height) = (0, 0);
        let mut path: Vec<String> = Vec::new();
        let mut content = String::new();
        let mut seen = false;
        loop {
            match reader.read_event().map_err(|error| error.to_string())? {
                Event::Start(start) => {
                    path.push(String::from_utf8_lossy(start.local_name().as_ref()).into_owned());
                    if path.len() > DEEPEST {
                        return Err(format!("elements lie more than {DEEPEST} deep"));
                    }
                    seen |= path == ["annotation"];
                    content.clear();
                }
                Event::Text(text) => content.push_str(&text.decode().map_err(|error| error.to_string())?),
                Event::CData(text) => content.push_str(&text.decode().map_err(|error| error.to_string())?),
                Event::GeneralRef(entity) => {
                    let name = entity.decode().map_err(|error| error.to_string())?;
                    match entity.resolve_char_ref().map_err(|error| error.to_string())? {
                        Some(character) => content.push(character),
                        None => content.push_str(resolve_predefined_entity(&name).unwrap_or("?")),
                    }
                }
                Event::End(_) => {
                    let names: Vec<&str> = path.iter().map(String::as_str).collect();
                    let value = content.trim();
                    match names.as_slice() {
                        ["annotation", "filename"] => found.filename = Some(value.to_owned()),
                        ["annotation", "size", "width"] => width = value.parse().unwrap_or(0),
                        ["annotation", "size", "height"] => height = value.parse().unwrap_or(0),
                        ["annotation", "object", "name"] => value.clone_into(&mut object.name),
                        ["annotation", "object", "difficult"] => object.difficult = value == "1",
                        ["annotation", "object", "bndbox", edge] => object.set(edge, value)?,
                        ["annotation", "object"] => found.objects.push(std::mem::take(&mut object).whole()?),
                        _ => {}
                    }
                    path.pop();
                    content.clear();
                }
                Event::Eof if !path.is_empty() => return Err(format!("it ends within <{}>", path.join("><"))),
                Event::Eof => break,
                _ => {}
            }
        }
        if !seen {
            return Err("there is no <annotation>".to_owned());
        }
        found.size = (width > 0 && height > 0).then_some((width, height));
        Ok(found)
    }
}

impl Partial {
    fn set(&mut self, edge: &str, value: &str) -> Result<(), String> {
        let Some(place) = ["xmin", "ymin", "xmax", "ymax"].iter().position(|name| *name == edge) else { return Ok(()) };
        let number: f64 = value.parse().map_err(|_| format!("<{edge}> is '{value}', which is no number"))?;
        if !number.is_finite() {
            return Err(format!("<{edge}> is '{value}', which is no place in a picture"));
        }
        self.edges[place] = Some(number);
        Ok(())
    }

    fn whole(self) -> Result<Object, String> {
        if self.name.is_empty() {
            return Err("an object has no <name>".to_owned());
        }
        let [Some(left), Some(top), Some(right), Some(bottom)] = self.edges else {
            return Err(format!("an object '{}' has no <bndbox> with xmin, ymin, xmax and ymax", self.name));
        };
        Ok(Object { name: self.name, difficult: self.difficult, edges: [left, top, right, bottom] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WHOLE: &str = "<?xml version=\"1.0\"?>\n<annotation verified=\"yes\">\n<filename>a &amp; b.jpg</filename>\
        <size><width>640</width><height>480</height></size><!-- a comment -->\n\
        <object><name>dog</name><difficult>1</difficult><part><name>head</name><bndbox><xmin>1</xmin></bndbox></part>\
        <bndbox><ymax>9.5</ymax><xmin>1</xmin><ymin>2</ymin><xmax>3</xmax></bndbox></object></annotation>";

    #[test]
    fn objects_are_read_and_their_parts_are_not() {
        let annotation = Annotation::parse(WHOLE).unwrap();
        assert_eq!(annotation.filename.as_deref(), Some("a & b.jpg"));
        assert_eq!(annotation.size, Some((640, 480)));
        let dog = Object { name: "dog".to_owned(), difficult: true, edges: [1.0, 2.0, 3.0, 9.5] };
        assert_eq!(annotation.objects, [dog]);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let message = |text: &str| Annotation::parse(text).unwrap_err();
        assert_eq!(message("<a></a>"), "there is no <annotation>");
        assert_eq!(message("<annotation><object>"), "it ends within <annotation><object>");
        assert_eq!(message(&WHOLE.replace(">9.5<", ">x<")), "<ymax> is 'x', which is no number");
        assert_eq!(message(&WHOLE.replace(">9.5<", ">inf<")), "<ymax> is 'inf', which is no place in a picture");
        assert!(message(&WHOLE.replace("<xmax>3</xmax>", "")).starts_with("an object 'dog' has no <bndbox>"));
        assert_eq!(message(&WHOLE.replace("<name>dog</name>", "")), "an object has no <name>");
        assert!(Annotation::parse(&WHOLE.replace("</size>", "")).is_err(), "ends that do not fit");
    }

    proptest! {
        #[test]
        fn damage_never_panics(at in 0usize..400, with in any::<char>(), end in 0usize..500) {
            let text: String = WHOLE.chars().enumerate().map(|(i, c)| if i == at { with } else { c }).take(end).collect();
            let _ = Annotation::parse(&text);
        }
    }
}
