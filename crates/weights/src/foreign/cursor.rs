//! Reading little-endian numbers from bytes that are not to be trusted: every step is checked against what is there.

/// A place in a slice of bytes.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// At the beginning.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Cursor { bytes, at: 0 }
    }

    /// At an offset, which a file said.
    pub(crate) fn at(bytes: &'a [u8], offset: u64) -> Result<Self, String> {
        match usize::try_from(offset) {
            Ok(at) if at <= bytes.len() => Ok(Cursor { bytes, at }),
            _ => Err(format!("it points to byte {offset}, but ends at {}", bytes.len())),
        }
    }

    /// The bytes passed so far.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// The bytes left.
    pub(crate) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// The next `n` bytes.
    pub(crate) fn take(&mut self, n: usize) -> Result<&'a [u8], String> {
        if n > self.left() {
            return Err(format!("it ends after {} of {n} bytes that follow byte {}", self.left(), self.at));
        }
        let taken = &self.bytes[self.at..self.at + n];
        self.at += n;
        Ok(taken)
    }

    /// Passes over `n` bytes.
    pub(crate) fn skip(&mut self, n: usize) -> Result<(), String> {
        self.take(n).map(|_| ())
    }

    /// Fails if the next bytes are not these.
    pub(crate) fn expect(&mut self, signature: &[u8]) -> Result<(), String> {
        let at = self.at;
        if self.take(signature.len())? == signature {
            return Ok(());
        }
        Err(format!("`{}` is not at byte {at}", String::from_utf8_lossy(signature)))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, String> {
        self.array::<1>().map(|[b]| b)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, String> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, String> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, String> {
        self.array().map(u64::from_le_bytes)
    }

    /// A number of `size` bytes, at most 8.
    pub(crate) fn uint(&mut self, size: usize) -> Result<u64, String> {
        let bytes = self.take(size.min(8))?;
        Ok(bytes.iter().rev().fold(0, |n, &b| n << 8 | u64::from(b)))
    }

    /// The bytes before the next line feed, which is passed over.
    pub(crate) fn line(&mut self) -> Result<&'a [u8], String> {
        let rest = &self.bytes[self.at..];
        let end = rest.iter().position(|&b| b == b'\n').ok_or("it ends within a line")?;
        self.at += end + 1;
        Ok(&rest[..end])
    }
}
