//! XML as a small tree, for annotations: elements with their text and what is in them. Attributes are passed over.

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;

/// Elements inside elements, at most.
const DEEPEST: usize = 64;

/// An element.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// Its name, without a prefix.
    pub name: String,
    /// Its own text, without spaces around it.
    pub text: String,
    /// The elements in it, in order.
    pub inside: Vec<Element>,
}

impl Element {
    /// The first element of this name in it.
    pub fn child(&self, name: &str) -> Option<&Element> {
        self.inside.iter().find(|e| e.name == name)
    }

    /// The text of the first element of this name in it.
    pub fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|e| e.text.as_str())
    }

    /// Reads a document; returns its outermost element.
    ///
    /// # Errors
    /// What is wrong, as a verb and its object, and where.
    pub fn parse(text: &str) -> Result<Self, String> {
        // Some writers put a byte-order mark first.
        let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
        let mut open = vec![Element::default()];
        loop {
            let at = reader.buffer_position();
            let wrong = |problem: &str| format!("{problem} (byte {at})");
            let event = reader.read_event().map_err(|e| wrong(&e.to_string()))?;
            let Some(inner) = open.last_mut() else { return Err(wrong("an element ends that did not begin")) };
            match event {
                Event::Start(start) => {
                    if open.len() > DEEPEST {
                        return Err(wrong(&format!("elements lie more than {DEEPEST} deep")));
                    }
                    open.push(Element::named(start.local_name().as_ref()));
                }
                Event::Empty(empty) => inner.inside.push(Element::named(empty.local_name().as_ref())),
                Event::Text(text) => inner.text.push_str(&text.decode().map_err(|e| wrong(&e.to_string()))?),
                Event::CData(text) => inner.text.push_str(&text.decode().map_err(|e| wrong(&e.to_string()))?),
                Event::GeneralRef(entity) => {
                    let name = entity.decode().map_err(|e| wrong(&e.to_string()))?;
                    match entity.resolve_char_ref().map_err(|e| wrong(&e.to_string()))? {
                        Some(character) => inner.text.push(character),
                        None => inner.text.push_str(resolve_predefined_entity(&name).unwrap_or("?")),
                    }
                }
                Event::End(_) => {
                    // The reader has held the names of ends against those of beginnings.
                    let text = inner.text.trim().to_owned();
                    let done = Element { text, ..std::mem::take(inner) };
                    open.pop();
                    match open.last_mut() {
                        Some(outer) => outer.inside.push(done),
                        None => return Err(wrong("an element ends that did not begin")),
                    }
                }
                Event::Eof => break,
                _ => {}
            }
        }
        match (open.len(), open.pop()) {
            (1, Some(mut document)) if !document.inside.is_empty() => Ok(document.inside.swap_remove(0)),
            (1, _) => Err("there is no element in it".to_owned()),
            (_, innermost) => {
                let names = open.iter().skip(1).chain(&innermost).map(|e| e.name.as_str());
                Err(format!("it ends within <{}>", names.collect::<Vec<_>>().join("><")))
            }
        }
    }

    fn named(name: &[u8]) -> Self {
        Self { name: String::from_utf8_lossy(name).into_owned(), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WHOLE: &str = "\u{feff}<?xml version=\"1.0\"?><!-- c --><a x='1'><b> one &amp; &#50; </b><c/><b>two</b></a>";

    #[test]
    fn elements_and_text_are_read() {
        let a = Element::parse(WHOLE).unwrap();
        assert_eq!((a.name.as_str(), a.inside.len()), ("a", 3));
        assert_eq!((a.text_of("b"), a.text_of("c"), a.text_of("d")), (Some("one & 2"), Some(""), None));
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert_eq!(Element::parse("<a><b>").unwrap_err(), "it ends within <a><b>");
        assert_eq!(Element::parse("").unwrap_err(), "there is no element in it");
        assert!(Element::parse("<a></b>").is_err());
        assert!(Element::parse(&"<a>".repeat(1000)).unwrap_err().contains("more than 64 deep"));
    }

    proptest! {
        #[test]
        fn damage_never_panics(at in 0usize..90, with in any::<char>(), end in 0usize..120) {
            let text: String = WHOLE.chars().enumerate().map(|(i, c)| if i == at { with } else { c }).take(end).collect();
            let _ = Element::parse(&text);
        }
    }
}
