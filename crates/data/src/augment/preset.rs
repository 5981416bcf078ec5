//! Lists by name, for what is to be seen in the pictures.

/// What pictures show, as far as augmentation asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Photographs of 64 pixels and more: a part of one is still the same thing.
    Photograph,
    /// Smaller photographs, which are moved by whole pixels.
    Small,
    /// Small drawings, grey, of letters or digits: what is mirrored is another sign.
    Drawing,
}

/// The presets' names.
pub(super) const PRESETS: [&str; 4] = ["none", "light", "standard", "strong"];

/// The list of this name for an input of `width` pixels, if there is one of that name.
pub(super) fn preset(name: &str, subject: Subject, width: u32) -> Option<String> {
    let (eighth, sixteenth, thirty_second) = (width.div_ceil(8), width.div_ceil(16), width.div_ceil(32));
    let list = match (name, subject) {
        ("none", _) => String::new(),
        ("light", Subject::Photograph) => "rrc=0.6,flip".into(),
        ("standard", Subject::Photograph) => "rrc=0.35,flip,jitter=0.2".into(),
        ("strong", Subject::Photograph) => "rrc=0.2,flip,rand=2:9,erase=0.25,mixup=0.2,cutmix=1".into(),
        ("light", Subject::Small) => format!("shift={sixteenth},flip"),
        ("standard", Subject::Small) => format!("shift={eighth},flip"),
        ("strong", Subject::Small) => format!("shift={eighth},flip,trivial,erase=0.25,mixup=0.2,cutmix=1"),
        ("light", Subject::Drawing) => format!("affine=5:0.1:0.1,shift={thirty_second}"),
        ("standard", Subject::Drawing) => format!("affine=10:0.15:0.2,shift={sixteenth}"),
        ("strong", Subject::Drawing) => format!("affine=15:0.2:0.3,shift={sixteenth},erase=0.25,mixup=0.2"),
        _ => return None,
    };
    Some(list)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::Augment;

    #[test]
    fn every_preset_is_a_list_for_every_subject() {
        for subject in [Subject::Photograph, Subject::Small, Subject::Drawing] {
            for name in PRESETS {
                let augment = Augment::parse(name, subject, 32).unwrap();
                assert_eq!(augment.to_string() == "none", name == "none", "{name} {subject:?}");
                if subject == Subject::Drawing {
                    assert!(!augment.to_string().contains("flip"), "a mirrored digit is another sign");
                }
            }
        }
        let standard = |subject| Augment::parse("standard", subject, 32).unwrap().to_string();
        assert_eq!(standard(Subject::Small), "shift=4,flip");
        assert_eq!(standard(Subject::Drawing), "affine=10:0.15:0.2,shift=2");
        let changed = Augment::parse("standard,jitter=0.4,flip=off,blur", Subject::Photograph, 224).unwrap();
        assert_eq!(changed.to_string(), "rrc=0.35:1,jitter=0.4,blur=2:0.5");
    }
}
