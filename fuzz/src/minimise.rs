//! A smaller input that fails at the same place: what a person reads, and what becomes a regression test.

use serde_json::Value;

use crate::campaign::execute;
use crate::parts::Parts;
use crate::target::{Shape, Target};

/// Executions that a minimisation may cost.
const MOST: usize = 3_000;

/// Takes away what the failure at `place` does not need.
pub(crate) fn minimise(target: &Target, input: &[u8], place: &str) -> Vec<u8> {
    let mut search = Search { target, place, left: MOST, best: input.to_vec() };
    loop {
        let before = search.best.len();
        match target.shape {
            Shape::Json | Shape::Yaml => search.tree(),
            Shape::Parts => search.parts(),
        }
        search.pieces();
        if search.left == 0 || search.best.len() >= before {
            return search.best;
        }
    }
}

struct Search<'a> {
    target: &'a Target,
    place: &'a str,
    left: usize,
    best: Vec<u8>,
}

impl Search<'_> {
    /// Takes `input` where it is smaller and still fails.
    fn offer(&mut self, input: Vec<u8>) -> bool {
        if self.left == 0 || input.len() >= self.best.len() {
            return false;
        }
        self.left -= 1;
        let fails = execute(self.target, &input).is_err_and(|panic| panic.place == self.place);
        if fails {
            self.best = input;
        }
        fails
    }

    /// Without one member or item, for each there is.
    fn tree(&mut self) {
        let mut at = 0;
        while let Ok(mut tree) = serde_json::from_slice::<Value>(&self.best) {
            let mut number = at;
            if self.left == 0 || !without(&mut tree, &mut number) {
                return;
            }
            if !self.offer(tree.to_string().into_bytes()) {
                at += 1;
            }
        }
    }

    fn parts(&mut self) {
        let mut at = 0;
        loop {
            let mut parts = Parts::from_bytes(&self.best);
            if self.left == 0 || at >= parts.0.len() {
                return;
            }
            parts.0.remove(at);
            if !self.offer(parts.to_bytes()) {
                at += 1;
            }
        }
    }

    /// Without a piece, for pieces of every size.
    fn pieces(&mut self) {
        let mut size = self.best.len() / 2;
        while size > 0 {
            let mut at = 0;
            while at < self.best.len() {
                let mut less = self.best.clone();
                less.drain(at..(at + size).min(less.len()));
                if !self.offer(less) {
                    at += size;
                }
            }
            size /= 2;
        }
    }
}

/// Removes the child with this number, counted from the root down; whether there is one.
fn without(value: &mut Value, number: &mut usize) -> bool {
    match value {
        Value::Array(items) => {
            if *number < items.len() {
                items.remove(*number);
                return true;
            }
            *number -= items.len();
            items.iter_mut().any(|item| without(item, number))
        }
        Value::Object(members) => {
            if let Some(name) = members.keys().nth(*number).cloned() {
                members.remove(&name);
                return true;
            }
            *number -= members.len();
            members.values_mut().any(|member| without(member, number))
        }
        _ => false,
    }
}
