//! Inputs of several named parts, such as the columns of a row: framed so that a mutation of one leaves the others alone.

/// Named byte strings, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parts(pub Vec<(String, Vec<u8>)>);

impl Parts {
    /// Adds a part.
    #[must_use]
    pub fn with(mut self, name: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.0.push((name.to_owned(), bytes.into()));
        self
    }

    /// The first part of this name; empty where there is none.
    #[must_use]
    pub fn get(&self, name: &str) -> &[u8] {
        self.0.iter().find(|(known, _)| known == name).map_or(&[], |(_, bytes)| bytes)
    }

    /// A part as a number: its first eight bytes, little-endian.
    #[must_use]
    pub fn number(&self, name: &str) -> u64 {
        let mut bytes = [0; 8];
        for (to, from) in bytes.iter_mut().zip(self.get(name)) {
            *to = *from;
        }
        u64::from_le_bytes(bytes)
    }

    /// One length byte and the name, four length bytes (little-endian) and the bytes, again and again.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (name, bytes) in &self.0 {
            let name = name.as_bytes().get(..name.len().min(255)).unwrap_or_default();
            out.push(name.len() as u8);
            out.extend_from_slice(name);
            out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
            out.extend_from_slice(bytes);
        }
        out
    }

    /// Reads any bytes: what is cut off is shorter, and what is no text becomes one.
    #[must_use]
    pub fn from_bytes(mut input: &[u8]) -> Self {
        let mut take = |len: usize| {
            let (taken, rest) = input.split_at(len.min(input.len()));
            input = rest;
            taken
        };
        let mut parts = Self::default();
        while let [len] = *take(1) {
            let name = String::from_utf8_lossy(take(usize::from(len))).into_owned();
            let mut size = [0; 4];
            for (to, from) in size.iter_mut().zip(take(4)) {
                *to = *from;
            }
            parts.0.push((name, take(u32::from_le_bytes(size) as usize).to_vec()));
        }
        parts
    }
}
