//! One character after the other: what it is for a reader, and its plainest form.

use unicode_normalization::char::decompose_compatible;
use unicode_security::confusable_detection::skeleton;

/// The plain form of one character: few characters, mostly one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Folded {
    chars: [char; 4],
    len: usize,
}

impl Folded {
    fn push(&mut self, c: char) {
        if let Some(slot) = self.chars.get_mut(self.len) {
            *slot = c;
            self.len += 1;
        }
    }

    pub(super) fn chars(self) -> impl Iterator<Item = char> {
        self.chars.into_iter().take(self.len)
    }
}

impl From<char> for Folded {
    fn from(c: char) -> Self {
        let mut folded = Self::default();
        folded.push(c);
        folded
    }
}

/// What a character that is not plain ASCII is treated as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Nobody sees it: removed.
    Invisible,
    /// A letter of a script with look-alikes of Latin letters.
    Foreign,
    /// A letter in disguise: full width, mathematical, small capital, circled…
    Styled,
    /// A letter or mark that has a plainer form.
    Letter,
    /// Stays as it is.
    Same,
}

/// The length of what at the beginning of `bytes` is copied as it is but for the case of ASCII: plain ASCII, and the
/// letters of scripts that have one form each (Chinese, Japanese, Devanagari).
pub(super) fn plain_len(bytes: &[u8]) -> usize {
    let mut at = 0;
    let mut space = true;
    while let Some(b) = bytes.get(at) {
        let len = match b {
            b' ' if space => break,
            b'%' | b'&' | b'\\' | b'-' | 0..=0x1f | 0x7f => break,
            0x20..=0x7e => 1,
            0xe4..=0xe9 => 3,
            0xe3 if matches!(bytes.get(at + 1), Some(0x81..=0x83)) => 3,
            0xe0 if matches!(bytes.get(at + 1), Some(0xa4 | 0xa5)) => 3,
            _ => break,
        };
        space = *b == b' ';
        at += len;
    }
    at
}

pub(super) fn class(c: char) -> Class {
    match u32::from(c) {
        0..=0x7f => Class::Same,
        0xad
        | 0x34f
        | 0x61c
        | 0x115f
        | 0x1160
        | 0x17b4
        | 0x17b5
        | 0x180b..=0x180e
        | 0x200b..=0x200f
        | 0x202a..=0x202e
        | 0x2060..=0x206f
        | 0x3164
        | 0xfe00..=0xfe0f
        | 0xfeff
        | 0xffa0
        | 0x1d173..=0x1d17a
        | 0xe0000..=0xe0fff => Class::Invisible,
        0x250..=0x2af
        | 0x1d00..=0x1dbf
        | 0x2100..=0x214f
        | 0x2460..=0x24ff
        | 0xa720..=0xa7ff
        | 0xff01..=0xff5e
        | 0x1d400..=0x1d7ff
        | 0x1f100..=0x1f189 => Class::Styled,
        0x370..=0x58f | 0x13a0..=0x13ff | 0x1c80..=0x1c8f | 0x2c80..=0x2cff | 0xab70..=0xabbf => Class::Foreign,
        0x80..=0x24f
        | 0x300..=0x36f
        | 0x610..=0x6ff
        | 0x1e00..=0x1fff
        | 0x2010..=0x205f
        | 0x2070..=0x209f
        | 0x300a..=0x300f
        | 0x3300..=0x33ff
        | 0xf900..=0xfaff
        | 0xfb00..=0xfdff
        | 0xfe10..=0xfefe
        | 0xff5f..=0xffef => Class::Letter,
        _ => Class::Same,
    }
}

/// The plain form of `c`: NFKC, without accents, lower case, one kind of quotation mark and dash.
pub(super) fn fold(c: char) -> Folded {
    if let Some(plain) = known(c) {
        return plain;
    }
    let mut folded = Folded::default();
    decompose_compatible(c, |part| {
        if is_accent(part) {
            return;
        }
        match known(part) {
            Some(plain) => plain.chars().for_each(|c| folded.push(c)),
            None => part.to_lowercase().filter(|c| !is_accent(*c)).for_each(|c| folded.push(c)),
        }
    });
    folded
}

/// Characters whose plain form is not their decomposition.
fn known(c: char) -> Option<Folded> {
    let plain = match c {
        '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{201f}' | '«' | '»' | '「' | '」' | '『' | '』' | '《' | '》' => {
            '"'
        }
        '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{201b}' | '`' | '´' | '\u{2032}' => '\'',
        '\u{2010}'..='\u{2015}' => '-',
        'ł' | 'Ł' => 'l',
        'ø' | 'Ø' => 'o',
        'đ' | 'Đ' | 'ð' | 'Ð' => 'd',
        'ı' => 'i',
        'أ' | 'إ' | 'آ' | 'ٱ' => 'ا',
        'ى' => 'ي',
        'ة' => 'ه',
        'ß' | 'ẞ' => return Some(Folded { chars: ['s', 's', '\0', '\0'], len: 2 }),
        'æ' | 'Æ' => return Some(Folded { chars: ['a', 'e', '\0', '\0'], len: 2 }),
        'œ' | 'Œ' => return Some(Folded { chars: ['o', 'e', '\0', '\0'], len: 2 }),
        _ => return None,
    };
    Some(plain.into())
}

/// Accents of Latin, Greek and Cyrillic letters, and the vowel signs of Arabic that are left out in daily use.
const fn is_accent(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{610}'..='\u{61a}' | '\u{640}' | '\u{64b}'..='\u{65f}' | '\u{670}'
        | '\u{6d6}'..='\u{6ed}')
}

/// Whether `c` is a Latin letter, with or without accents.
pub(super) const fn is_latin(c: char) -> bool {
    c.is_ascii_alphabetic() || matches!(c, '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}')
}

/// The Latin letter that `c` looks like.
pub(super) fn look_alike(c: char) -> Option<Folded> {
    if let Some(letter) = boxed(c) {
        return Some(letter.into());
    }
    let compatible = fold(c);
    if compatible.len == 1 && compatible.chars().all(|c| c.is_ascii()) {
        return Some(compatible);
    }
    latin(c).or_else(|| c.to_lowercase().next().and_then(latin)).map(Folded::from)
}

fn latin(c: char) -> Option<char> {
    let mut buffer = [0; 4];
    let mut plain = skeleton(c.encode_utf8(&mut buffer));
    let first = plain.next()?;
    let lone = plain.next().is_none();
    match first {
        // The table of confusables leads small capitals to themselves.
        'ɪ' if lone => Some('i'),
        'ɴ' if lone => Some('n'),
        'ʀ' if lone => Some('r'),
        'ʙ' if lone => Some('b'),
        'ʜ' if lone => Some('h'),
        'ʟ' if lone => Some('l'),
        'ɢ' if lone => Some('g'),
        'ᴛ' if lone => Some('t'),
        'ᴍ' if lone => Some('m'),
        'ᴀ' if lone => Some('a'),
        'ᴅ' if lone => Some('d'),
        'ᴇ' if lone => Some('e'),
        'ᴊ' if lone => Some('j'),
        'ᴋ' if lone => Some('k'),
        'ᴘ' if lone => Some('p'),
        first if lone && first.is_ascii_alphanumeric() => Some(first.to_ascii_lowercase()),
        _ => None,
    }
}

/// White letters on black circles and squares, which have no decomposition.
fn boxed(c: char) -> Option<char> {
    let at = u32::from(c);
    let offset = match at {
        0x1f150..=0x1f169 => at - 0x1f150,
        0x1f170..=0x1f189 => at - 0x1f170,
        _ => return None,
    };
    u8::try_from(offset).ok().map(|offset| char::from(b'a' + offset))
}

/// The ASCII text that a run of invisible characters spells, in tag characters or in variation selectors.
pub(super) fn written_in(run: &str) -> Option<String> {
    let written: String = run.chars().filter_map(letter_of).collect();
    let readable = written.bytes().filter(|b| b.is_ascii_alphanumeric() || *b == b' ').count();
    (readable >= 4 && readable * 4 >= run.chars().count() * 3).then_some(written)
}

fn letter_of(c: char) -> Option<char> {
    let at = u32::from(c);
    let byte = match at {
        0xe0020..=0xe007e => at - 0xe0000,
        0xfe00..=0xfe0f => at - 0xfe00,
        0xe0100..=0xe01ef => at - 0xe0100 + 16,
        _ => return None,
    };
    u8::try_from(byte).ok().filter(|b| (b' '..=b'~').contains(b)).map(char::from)
}
