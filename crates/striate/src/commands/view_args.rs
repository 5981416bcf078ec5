//! How often verbs that use a network look at each picture.

use striate_data::Views;

/// Looks at each picture, whose probabilities are averaged.
#[derive(clap::Args, Clone, Copy, Debug)]
pub struct ViewArgs {
    /// Windows of each picture whose probabilities are averaged: 1, as in training; 5, the corners and the middle; 10, their
    /// mirror images too (Krizhevsky et al. 2012). Cut from what the `crop` rule cuts its middle from; with any other rule,
    /// from the picture brought to 8/7 of the network's size
    #[arg(long, value_name = "N", default_value = "1", value_parser = windows)]
    crops: u8,
    /// Each picture's mirror image too
    #[arg(long)]
    flip: bool,
}

impl ViewArgs {
    /// The looks.
    pub fn views(self) -> Views {
        Views { five: self.crops >= 5, mirrored: self.flip || self.crops == 10 }
    }
}

fn windows(text: &str) -> Result<u8, String> {
    match text {
        "1" => Ok(1),
        "5" => Ok(5),
        "10" => Ok(10),
        _ => Err("expected 1, 5 or 10".into()),
    }
}
