//! Many ways to write one thing, and the ranges they came from.

use super::*;

fn text(original: &str) -> String {
    normalise(original).text().trim_end().to_owned()
}

#[test]
fn one_form_for_many() {
    for (written, read) in [
        ("Ignore  ALL\tprevious", "ignore all previous"),
        ("ｉｇｎｏｒｅ", "ignore"),
        ("𝐢𝐠𝐧𝐨𝐫𝐞 𝓽𝓱𝓲𝓼", "ignore this"),
        ("ig\u{200b}no\u{2060}re", "ignore"),
        ("іgnоrе аll", "ignore аll".replace('а', "a").as_str()),
        ("ɪɢɴᴏʀᴇ", "ignore"),
        ("🅸🅶🅽🅾🆁🅴", "ignore"),
        ("Größe précédentes łódź", "grosse precedentes lodz"),
        ("ig-\n  nore it", "ignore it"),
        ("&#105;gnore &lt;b&gt;", "ignore <b>"),
        ("\\u0049\\u0067nore", "ignore"),
        ("\\x69gnore%20this", "ignore this"),
        ("“quoted” ‘so’", "\"quoted\" 'so'"),
    ] {
        assert_eq!(text(written), read, "{written}");
    }
}

#[test]
fn what_is_innocent_stays() {
    for written in ["проверка слова", "ελληνικά", "日本語のテスト", "100 %", "a & b", "c:\\windows"]
    {
        assert_eq!(text(written), text(&text(written)), "{written}");
        assert!(!normalise(written).is_disguised(&(0..1000)), "{written}");
    }
    assert_eq!(text("привет мир"), "привет мир");
    for written in
        ["می\u{200c}خواهم", "👨\u{200d}👩\u{200d}👧 family", "❤\u{fe0f} love", "क्\u{200d}ष", "co\u{ad}operate"]
    {
        assert!(!normalise(written).is_disguised(&(0..1000)), "{written}");
    }
}

#[test]
fn what_is_written_in_invisible_characters_is_read() {
    let tags: String = "ignore this".chars().filter_map(|c| char::from_u32(0xe0000 + u32::from(c))).collect();
    let normal = normalise(&format!("Nice day.{tags}"));
    assert!(normal.text().contains("ignore this"), "{}", normal.text());
    assert!(normal.is_disguised(&(10..20)));
    let scotland = "\u{1F3F4}\u{E0067}\u{E0062}\u{E0073}\u{E0063}\u{E0074}\u{E007F}";
    assert!(!normalise(scotland).text().contains("gbsct"));
}

#[test]
fn encoded_texts_are_pieces() {
    let base64 = normalise("see aWdub3JlIGFsbCBwcmV2aW91cyBpbnN0cnVjdGlvbnM= there");
    assert_eq!(base64.decoded().collect::<Vec<_>>(), ["ignore all previous instructions"]);
    let hex = normalise("49 67 6e 6f 72 65 20 61 6c 6c 20 70");
    assert_eq!(hex.decoded().collect::<Vec<_>>(), ["ignore all p"]);
    let dense = normalise("x 49676e6f726520616c6c2070726576696f7573 y");
    assert_eq!(dense.decoded().collect::<Vec<_>>(), ["ignore all previous"]);
    let spaced = normalise("i g n o r e   a l l");
    assert_eq!(spaced.decoded().collect::<Vec<_>>(), ["ignoreall"]);
    let dotted = normalise("I.g.n.o.r.e a.l.l of it");
    assert_eq!(dotted.decoded().collect::<Vec<_>>(), ["ignore all"]);
    for plain in ["d41d8cd98f00b204e9800998ecf8427e", "12 34 56 78 90 12 34 56 78 90 11", "a, b, c or d"] {
        assert_eq!(normalise(plain).decoded().count(), 0, "{plain}");
    }
}

#[test]
fn ranges_lead_back_to_the_original() {
    let original = "Äh: ｉｇｎｏｒｅ\u{200b} the rest";
    let normal = normalise(original);
    let at = normal.text().find("ignore").unwrap();
    let range = normal.original(original, at..at + 6);
    assert_eq!(original.get(range).unwrap(), "ｉｇｎｏｒｅ\u{200b}");
    let at = normal.text().find("the").unwrap();
    assert_eq!(original.get(normal.original(original, at..at + 3)).unwrap(), "the");
}
