//! One of VOC's annotations: the picture's name and size, and its objects with their boxes.

use crate::xml::Element;

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

impl Annotation {
    /// Reads an annotation's XML.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let document = Element::parse(text)?;
        if document.name != "annotation" {
            return Err("there is no <annotation>".to_owned());
        }
        let side = |name| document.child("size")?.text_of(name)?.parse().ok().filter(|n: &u32| *n > 0);
        let objects = document.inside.iter().filter(|e| e.name == "object").map(Object::read);
        Ok(Self {
            filename: document.text_of("filename").map(str::to_owned),
            size: side("width").zip(side("height")),
            objects: objects.collect::<Result<_, _>>()?,
        })
    }
}

impl Object {
    fn read(element: &Element) -> Result<Self, String> {
        let name = element.text_of("name").unwrap_or_default().to_owned();
        let mut edges = [None; 4];
        for (edge, place) in edges.iter_mut().zip(["xmin", "ymin", "xmax", "ymax"]) {
            let Some(value) = element.child("bndbox").and_then(|bounds| bounds.text_of(place)) else { continue };
            let number: f64 = value.parse().map_err(|_| format!("<{place}> is '{value}', which is no number"))?;
            if !number.is_finite() {
                return Err(format!("<{place}> is '{value}', which is no place in a picture"));
            }
            *edge = Some(number);
        }
        if name.is_empty() {
            return Err("an object has no <name>".to_owned());
        }
        let [Some(left), Some(top), Some(right), Some(bottom)] = edges else {
            return Err(format!("an object '{name}' has no <bndbox> with xmin, ymin, xmax and ymax"));
        };
        let difficult = element.text_of("difficult") == Some("1");
        Ok(Self { name, difficult, edges: [left, top, right, bottom] })
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
