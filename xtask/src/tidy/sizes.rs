//! How long files and functions are: what does not fit a reader's head is split by meaning.

use super::Fault;
use super::files::File;
use super::source::{code_only, functions, without_tests};

/// Lines of a file, without its tests.
const MAX_FILE_LINES: usize = 400;
/// Lines of code in a function's body; clippy holds the same bound for code behind macros.
const MAX_FUNCTION_LINES: usize = 60;
/// How many of the largest are named.
const NAMED: usize = 3;

/// Something that has a length.
#[derive(Debug)]
struct Sized {
    lines: usize,
    path: String,
    line: usize,
    name: String,
}

/// What was measured so far.
#[derive(Debug, Default)]
pub(super) struct Sizes {
    files: Vec<Sized>,
    functions: Vec<Sized>,
}

impl Sizes {
    /// Measures a file of Rust source; tests may be as long as their cases.
    pub(super) fn measure(&mut self, file: &File, text: &str) {
        if file.is_test() {
            return;
        }
        let shipped = without_tests(text);
        let lines = shipped.lines().count();
        self.files.push(Sized { lines, path: file.path.clone(), line: 1, name: String::new() });
        for function in functions(&code_only(&shipped)) {
            let (lines, line, name) = (function.lines, function.line, function.name);
            self.functions.push(Sized { lines, path: file.path.clone(), line, name });
        }
    }

    /// What is too long.
    pub(super) fn faults(&self) -> Vec<Fault> {
        let files = self.files.iter().filter(|f| f.lines > MAX_FILE_LINES).map(|f| {
            let what = format!("{} lines without tests, more than {MAX_FILE_LINES}: split it by meaning", f.lines);
            Fault::new(&f.path, f.line, what)
        });
        let functions = self.functions.iter().filter(|f| f.lines > MAX_FUNCTION_LINES).map(|f| {
            let what = format!("`{}` has {} lines, more than {MAX_FUNCTION_LINES}: name its steps", f.name, f.lines);
            Fault::new(&f.path, f.line, what)
        });
        files.chain(functions).collect()
    }

    /// The longest files and functions, a line each.
    pub(super) fn largest(&self) -> Vec<String> {
        let files = top(&self.files).into_iter().map(|f| format!("largest file: {} ({} lines)", f.path, f.lines));
        let functions = top(&self.functions).into_iter().map(|f| {
            let Sized { lines, path, line, name } = f;
            format!("longest function: {path}:{line} `{name}` ({lines} lines)")
        });
        files.chain(functions).collect()
    }
}

fn top(all: &[Sized]) -> Vec<&Sized> {
    let mut sorted: Vec<&Sized> = all.iter().collect();
    sorted.sort_by(|a, b| b.lines.cmp(&a.lines).then_with(|| a.path.cmp(&b.path)));
    sorted.truncate(NAMED);
    sorted
}
