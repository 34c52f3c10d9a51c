//! What a scope that nobody has described may allow, judged by the words of its name.
//!
//! Words are split at everything that is no letter or digit and at camelCase humps; of a URL only the
//! part after the host counts. Every word of the table adds its classes. A name whose words say
//! nothing of what it does is taken for `write`: what we do not understand, we do not trust.

use super::class::{Class, ClassSet};

/// The classes that the name suggests; never empty.
#[must_use]
pub(super) fn guess(scope: &str) -> ClassSet {
    let mut classes = ClassSet::EMPTY;
    let mut only_names_a_person = true;
    for word in words(name_of(scope)) {
        let found = classes_of(word);
        classes = classes.union(found);
        only_names_a_person &= !found.is_empty() || is_filler(word);
    }
    if scope.contains('*') {
        classes = classes.with(Class::Admin);
    }
    let says_what_it_does = Class::ALL.into_iter().any(|class| says(class) && classes.contains(class));
    if !says_what_it_does && (classes.is_empty() || !only_names_a_person) {
        classes = classes.with(Class::Write);
    }
    classes
}

/// Whether one of the words is among the words of the scope's name.
#[must_use]
pub(super) fn has_word(scope: &str, wanted: &[String]) -> bool {
    words(name_of(scope)).any(|word| wanted.iter().any(|w| w.eq_ignore_ascii_case(word)))
}

/// `email_archive` and `refresh_dashboards` mention a person or a time; what they *do* they do not say.
fn says(class: Class) -> bool {
    !matches!(class, Class::Identity | Class::Offline)
}

fn classes_of(word: &str) -> ClassSet {
    let listed = TABLE.iter().filter(|(_, words)| words.iter().any(|w| w.eq_ignore_ascii_case(word)));
    let stems = STEMS.iter().filter(|(_, stem)| contains_any_case(word, stem));
    listed.map(|(class, _)| *class).chain(stems.map(|(class, _)| *class)).collect()
}

fn is_filler(word: &str) -> bool {
    ["access", "token", "user", "info", "my", "me"].iter().any(|filler| filler.eq_ignore_ascii_case(word))
}

/// The scope without scheme and host: `https://admin.example.com/auth/notes.read` reads notes.
fn name_of(scope: &str) -> &str {
    let path = scope.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map(|(_, path)| path);
    path.filter(|path| !path.is_empty()).unwrap_or(scope)
}

fn words(name: &str) -> impl Iterator<Item = &str> {
    name.split(|c: char| !c.is_ascii_alphanumeric()).flat_map(humps).filter(|word| !word.is_empty())
}

/// Splits `ReadWriteAll` and `HTTPRead` before each hump.
fn humps(word: &str) -> impl Iterator<Item = &str> {
    let mut rest = word;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (hump, after) = rest.split_at_checked(hump_end(rest.as_bytes())).unwrap_or((rest, ""));
        rest = after;
        Some(hump)
    })
}

fn hump_end(bytes: &[u8]) -> usize {
    let upper = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_uppercase);
    let lower = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_lowercase);
    let begins = |at: &usize| upper(*at) && (!upper(at - 1) || lower(at + 1));
    (1..bytes.len()).find(begins).unwrap_or(bytes.len())
}

fn contains_any_case(word: &str, stem: &str) -> bool {
    word.as_bytes().windows(stem.len()).any(|part| part.eq_ignore_ascii_case(stem.as_bytes()))
}

/// Stems that count within longer words too: `readwrite`, `superadmin`, `undeletable`.
const STEMS: [(Class, &str); 3] = [(Class::Admin, "admin"), (Class::Delete, "delet"), (Class::Write, "write")];

const TABLE: [(Class, &[&str]); 7] = [
    (
        Class::Admin,
        &[
            "manage",
            "manager",
            "management",
            "owner",
            "all",
            "root",
            "sudo",
            "superuser",
            "impersonate",
            "impersonation",
            "privileged",
            "everything",
            "god",
            "org",
            "organization",
            "tenant",
            "roles",
            "permissions",
            "fullaccess",
            "fullcontrol",
        ],
    ),
    (
        Class::Delete,
        &["remove", "destroy", "erase", "purge", "wipe", "drop", "revoke", "trash", "terminate", "uninstall"],
    ),
    (
        Class::Send,
        &[
            "send",
            "sender",
            "post",
            "publish",
            "chat",
            "message",
            "reply",
            "forward",
            "notify",
            "invite",
            "share",
            "broadcast",
            "webhook",
        ],
    ),
    (
        Class::Write,
        &[
            "edit",
            "editor",
            "update",
            "create",
            "modify",
            "rw",
            "full",
            "manage",
            "insert",
            "add",
            "append",
            "put",
            "patch",
            "set",
            "upload",
            "import",
            "push",
            "merge",
            "deploy",
            "execute",
            "exec",
            "run",
            "invoke",
            "call",
            "control",
            "submit",
            "approve",
            "sign",
            "pay",
            "payment",
            "payments",
            "transfer",
            "charge",
            "compose",
            "configure",
            "move",
            "rename",
            "grant",
            "change",
        ],
    ),
    (Class::Offline, &["offline", "refresh"]),
    (Class::Identity, &["openid", "profile", "email", "userinfo", "identity", "whoami"]),
    (
        Class::Read,
        &[
            "read",
            "readonly",
            "reader",
            "ro",
            "view",
            "viewer",
            "list",
            "get",
            "search",
            "export",
            "download",
            "metadata",
            "history",
            "freebusy",
            "readbasic",
            "readwrite",
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn check(scope: &str, want: &str) {
        assert_eq!(guess(scope).to_string(), want, "{scope}");
    }

    #[test]
    fn names_are_taken_at_their_word() {
        check("notes.read", "read");
        check("notes:readonly", "read");
        check("notes.read-only", "read");
        check("read_notes", "read");
        check("view:boards", "read");
        check("list_things", "read");
        check("getThing", "read");
        check("notes.write", "write");
        check("create:notes", "write");
        check("NotesUpdate", "write");
        check("notes.rw", "write");
        check("full", "write");
        check("notes.send", "send");
        check("publish_page", "send");
        check("notes.delete", "delete");
        check("remove:notes", "delete");
        check("destroy-all", "delete+admin");
        check("manage_notes", "write+admin");
        check("admin", "admin");
        check("Owner", "admin");
        check("notes.all", "admin");
        check("Notes.Read.All", "read+admin");
        check("*", "admin");
        check("notes:*", "admin");
        check("offline_access", "offline");
        check("offline", "offline");
        check("refresh_token", "offline");
        check("openid", "identity");
        check("profile", "identity");
        check("email", "identity");
        check("user.email", "identity");
    }

    #[test]
    fn what_is_not_understood_is_not_trusted() {
        check("notes", "write");
        check("x", "write");
        check("boards.premium", "write");
        check("access", "write");
        check("123", "write");
        check("~", "write");
        check("https://example.com/", "write");
    }

    #[test]
    fn misleading_names_are_read_in_full() {
        check("readwrite", "read+write");
        check("notes.readwriteall", "write"); // not only reading
        check("Notes.ReadWrite", "read+write");
        check("notes.READ_WRITE", "read+write");
        check("notes.readonly.readwrite", "read+write");
        check("read.then.delete", "read+delete");
        check("unread", "write");
        check("already", "write");
        check("thread", "write");
        check("install", "write"); // "all" is no word of it
        check("callback", "write");
        check("superadmin.read", "read+admin");
        check("AdminRead", "read+admin");
        check("sysadmin", "admin");
        check("undelete", "delete");
        check("deleted.read", "read+delete");
        check("email_archive", "identity+write");
        check("email.send", "identity+send");
        check("profile.write", "identity+write");
        check("refresh_dashboards", "offline+write");
        check("offline.mailbox", "offline+write");
        check("https://admin.example.com/notes.read", "read");
        check("https://read.example.com/notes", "write");
        check("HTTPRead", "read");
        check("overwrite", "write");
    }

    #[test]
    fn a_guess_is_never_nothing() {
        for byte in 0x21..0x7f_u8 {
            assert!(!guess(&char::from(byte).to_string()).is_empty());
        }
    }
}
