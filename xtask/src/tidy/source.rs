//! Enough of Rust's syntax to tell code from comments, and one function from the next.

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Function {
    /// Its name.
    pub(super) name: String,
    /// Where it begins, counted from 1.
    pub(super) line: usize,
    /// Lines of its body that hold code.
    pub(super) lines: usize,
}

/// The part of a file before its test module.
pub(super) fn without_tests(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let is_tests = |at: usize| {
        let mut after = lines.iter().skip(at + 1).map(|line| line.trim()).skip_while(|line| line.starts_with("#["));
        after.next().is_some_and(|line| line.starts_with("mod ") && line.ends_with('{'))
    };
    let end = (0..lines.len()).find(|at| lines.get(*at).is_some_and(|l| l.trim() == "#[cfg(test)]") && is_tests(*at));
    let kept: Vec<&str> = lines.iter().take(end.unwrap_or(lines.len())).copied().collect();
    kept.join("\n")
}

/// The same lines with comments and the insides of literals blanked out.
pub(super) fn code_only(text: &str) -> String {
    let mut blanker = Blanker { rest: text.chars().collect(), at: 0, out: String::with_capacity(text.len()) };
    while let Some(c) = blanker.peek(0) {
        blanker.step(c);
    }
    blanker.out
}

struct Blanker {
    rest: Vec<char>,
    at: usize,
    out: String,
}

impl Blanker {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.rest.get(self.at + ahead).copied()
    }

    fn keep(&mut self) {
        self.out.extend(self.peek(0));
        self.at += 1;
    }

    fn blank(&mut self, count: usize) {
        for _ in 0..count {
            let Some(c) = self.peek(0) else { return };
            self.out.push(if c == '\n' { '\n' } else { ' ' });
            self.at += 1;
        }
    }

    fn step(&mut self, c: char) {
        match (c, self.peek(1)) {
            ('/', Some('/')) => self.line_comment(),
            ('/', Some('*')) => self.block_comment(),
            ('"', _) => self.string(),
            ('r', Some('"' | '#')) if !self.in_a_word() => self.raw_string(),
            ('b' | 'c', Some('r')) if !self.in_a_word() => {
                self.keep();
                self.raw_string();
            }
            ('\'', _) => self.quote(),
            _ => self.keep(),
        }
    }

    fn in_a_word(&self) -> bool {
        self.out.chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_')
    }

    fn line_comment(&mut self) {
        while self.peek(0).is_some_and(|c| c != '\n') {
            self.blank(1);
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0_usize;
        loop {
            match (self.peek(0), self.peek(1)) {
                (Some('/'), Some('*')) => {
                    depth += 1;
                    self.blank(2);
                }
                (Some('*'), Some('/')) => {
                    depth -= 1;
                    self.blank(2);
                }
                (Some(_), _) => self.blank(1),
                (None, _) => return,
            }
            if depth == 0 {
                return;
            }
        }
    }

    fn string(&mut self) {
        self.keep();
        loop {
            match self.peek(0) {
                Some('\\') => self.blank(2),
                Some('"') => return self.keep(),
                Some(_) => self.blank(1),
                None => return,
            }
        }
    }

    fn raw_string(&mut self) {
        let hashes = (1..).take_while(|n| self.peek(*n) == Some('#')).count();
        // `r#type` is a name, not a string.
        if self.peek(1 + hashes) != Some('"') {
            return self.keep();
        }
        self.blank(1 + hashes);
        self.keep();
        while let Some(c) = self.peek(0) {
            if c == '"' && (1..=hashes).all(|n| self.peek(n) == Some('#')) {
                self.keep();
                return self.blank(hashes);
            }
            self.blank(1);
        }
    }

    /// A character literal or a lifetime.
    fn quote(&mut self) {
        match (self.peek(1), self.peek(2)) {
            (Some('\\'), _) => {
                self.blank(3);
                while self.peek(0).is_some_and(|c| c != '\'') {
                    self.blank(1);
                }
                self.blank(1);
            }
            (Some(_), Some('\'')) => self.blank(3),
            _ => self.keep(),
        }
    }
}

/// The functions with a body in `code`, which is without comments and literals, in the order in which they end.
pub(super) fn functions(code: &str) -> Vec<Function> {
    let mut finder = Finder::default();
    for (index, line) in code.lines().enumerate() {
        finder.line(index + 1, line);
    }
    finder.found
}

/// A function whose body has not been seen or not been left yet.
struct Open {
    function: Function,
    /// Braces around the body; for a signature, brackets open within it.
    depth: usize,
}

#[derive(Default)]
struct Finder {
    found: Vec<Function>,
    /// Bodies that are open, outermost first.
    bodies: Vec<Open>,
    signature: Option<Open>,
    braces: usize,
    after_fn: bool,
}

impl Finder {
    fn line(&mut self, number: usize, line: &str) {
        let mut rest = line;
        while let Some(c) = rest.chars().next() {
            let is_word = |c: char| c.is_alphanumeric() || c == '_';
            let end = if is_word(c) { rest.find(|c| !is_word(c)).unwrap_or(rest.len()) } else { c.len_utf8() };
            let (token, after) = rest.split_at(end);
            if is_word(c) {
                self.word(number, token);
            } else if !c.is_whitespace() {
                self.mark(c);
            }
            rest = after;
        }
        if !line.trim().is_empty() {
            self.bodies.iter_mut().for_each(|open| open.function.lines += 1);
        }
    }

    fn word(&mut self, line: usize, word: &str) {
        if self.after_fn {
            self.signature = Some(Open { function: Function { name: word.to_owned(), line, lines: 0 }, depth: 0 });
        }
        self.after_fn = word == "fn";
    }

    fn mark(&mut self, mark: char) {
        self.after_fn = false;
        if let Some(signature) = &mut self.signature {
            match mark {
                '(' | '[' => signature.depth += 1,
                ')' | ']' => signature.depth = signature.depth.saturating_sub(1),
                ';' if signature.depth == 0 => self.signature = None,
                '{' if signature.depth == 0 => {
                    let body = self.signature.take().map(|open| Open { depth: self.braces, ..open });
                    self.bodies.extend(body);
                }
                _ => {}
            }
        }
        match mark {
            '{' => self.braces += 1,
            '}' => {
                self.braces = self.braces.saturating_sub(1);
                if let Some(ended) = self.bodies.pop_if(|open| open.depth == self.braces) {
                    // The line of the opening brace was counted; that of the closing brace was not.
                    let lines = ended.function.lines.saturating_sub(1);
                    self.found.push(Function { lines, ..ended.function });
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_no_code() {
        let text = "let a = \"fn x() {\"; // fn y() {\nlet b = r#\"}\"#; /* { /* { */ } */ let c = '{';";
        assert_eq!(code_only(text).chars().filter(|c| "{}".contains(*c)).count(), 0);
        assert!(code_only(text).contains("let c = "));
        assert_eq!(code_only(text).lines().count(), 2);
    }

    #[test]
    fn lifetimes_and_raw_names_are_code() {
        let text = "fn f<'a>(r#type: &'a str) -> char { '\\'' }";
        assert_eq!(functions(&code_only(text)).len(), 1);
        assert!(code_only(text).contains("&'a str"));
    }

    #[test]
    fn functions_are_counted_by_lines_of_code() {
        let text = "trait T { fn declared(&self) -> [u8; 4]; }\n\
                    fn outer(f: fn(u8)) {\n    // why\n\n    let x = 1;\n    fn inner() {\n        x();\n    }\n}\n";
        let found = functions(&code_only(text));
        let sizes: Vec<_> = found.iter().map(|f| (f.name.as_str(), f.line, f.lines)).collect();
        assert_eq!(sizes, [("inner", 6, 1), ("outer", 2, 4)]);
    }

    #[test]
    fn a_test_module_is_left_out_and_its_declaration_is_not() {
        let inline = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n";
        assert_eq!(without_tests(inline), "fn a() {}");
        let declared = "#[cfg(test)]\nmod tests;\nfn a() {}";
        assert_eq!(without_tests(declared), declared);
    }
}
