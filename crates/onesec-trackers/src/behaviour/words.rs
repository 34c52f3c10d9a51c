//! Words in names of tools and actions, and what they say will be done.

use onesec_telemetry::ActionClass;

/// The words of a name, lower case: `send_email`, `sendEmail`, `mail.send` and `SEND-EMAIL` are the same two.
pub(crate) fn words(name: &str) -> impl Iterator<Item = String> + '_ {
    let mut chars = name.chars().peekable();
    std::iter::from_fn(move || {
        let mut word = String::new();
        while let Some(c) = chars.next() {
            if !c.is_alphanumeric() {
                if word.is_empty() {
                    continue;
                }
                return Some(word);
            }
            word.extend(c.to_lowercase());
            let breaks = c.is_lowercase() || c.is_ascii_digit();
            if breaks && chars.peek().is_some_and(|next| next.is_uppercase()) {
                return Some(word);
            }
        }
        (!word.is_empty()).then_some(word)
    })
}

/// What a verb says will be done, in English and in the verbs of some other languages that people name tools with.
pub(crate) fn verb(word: &str) -> Option<ActionClass> {
    let stem = word.strip_suffix("ing").or_else(|| word.strip_suffix("ed")).unwrap_or(word);
    exact(word).or_else(|| exact(stem)).or_else(|| exact(&format!("{stem}e")))
}

fn exact(word: &str) -> Option<ActionClass> {
    Some(match word {
        "read" | "get" | "list" | "search" | "find" | "fetch" | "view" | "show" | "lookup" | "look" | "query"
        | "describe" | "browse" | "check" | "count" | "summarize" | "summarise" | "analyze" | "analyse"
        | "translate" | "calculate" | "inspect" | "open" | "download" | "monitor" | "preview" | "status" | "stat"
        | "validate" | "verify" | "compare" | "lesen" | "suchen" | "lire" | "chercher" | "leer" | "buscar"
        | "listar" | "ler" | "leggere" | "cercare" => ActionClass::Read,
        "write" | "create" | "update" | "edit" | "modify" | "set" | "add" | "insert" | "save" | "put" | "patch"
        | "append" | "rename" | "move" | "copy" | "change" | "configure" | "enable" | "schedule" | "book"
        | "upsert" | "merge" | "commit" | "assign" | "label" | "archive" | "import" | "restore" | "register"
        | "grant" | "approve" | "invite" | "store" | "sync" | "comment" | "star" | "mark" | "draft" | "schreiben"
        | "anlegen" | "erstellen" | "ecrire" | "créer" | "creer" | "escribir" | "crear" | "criar" | "scrivere"
        | "creare" => ActionClass::Write,
        "send" | "post" | "share" | "email" | "mail" | "publish" | "forward" | "reply" | "notify" | "upload"
        | "export" | "tweet" | "message" | "broadcast" | "submit" | "push" | "transmit" | "dm" | "sms" | "call"
        | "dial" | "webhook" | "senden" | "schicken" | "envoyer" | "partager" | "enviar" | "compartir" | "inviare"
        | "condividere" => ActionClass::Send,
        "delete" | "remove" | "drop" | "destroy" | "purge" | "erase" | "wipe" | "truncate" | "unlink" | "rm"
        | "uninstall" | "terminate" | "kill" | "revoke" | "cancel" | "disable" | "deactivate" | "clear" | "reset"
        | "trash" | "overwrite" | "format" | "shred" | "löschen" | "loeschen" | "entfernen" | "supprimer"
        | "effacer" | "eliminar" | "borrar" | "apagar" | "cancellare" | "eliminare" => ActionClass::Delete,
        "pay" | "transfer" | "purchase" | "buy" | "charge" | "refund" | "wire" | "checkout" | "withdraw" | "payout"
        | "invoice" | "donate" | "trade" | "order" | "remit" | "bezahlen" | "überweisen" | "ueberweisen" | "payer"
        | "pagar" | "transferir" | "pagare" => ActionClass::Pay,
        "execute" | "exec" | "run" | "eval" | "evaluate" | "spawn" | "install" | "deploy" | "launch" | "compile"
        | "invoke" | "sudo" | "bash" | "shell" | "sh" | "zsh" | "powershell" | "pwsh" | "terminal" | "cmd"
        | "python" | "node" | "repl" | "interpreter" | "subprocess" | "ssh" | "ausführen" | "ausfuehren"
        | "exécuter" | "executer" | "ejecutar" | "executar" | "eseguire" => ActionClass::Execute,
        _ => return None,
    })
}

/// Whether the verb does harm that nobody means by a noun: a `transfer` may be looked at, a `delete` hardly.
pub(crate) fn ruins(word: &str) -> bool {
    matches!(
        word,
        "delete" | "remove" | "destroy" | "erase" | "wipe" | "purge" | "shred" | "exec" | "execute" | "eval" | "sudo"
    )
}

/// Whether what is run is a question: `run_query` executes nothing.
pub(crate) fn is_question(word: &str) -> bool {
    matches!(word, "query" | "queries" | "report" | "reports" | "search" | "sql" | "lookup" | "test" | "tests")
}

/// Whether the word names a thing as often as it says what is done: `mail.list` sends nothing.
pub(crate) fn is_thing(word: &str) -> bool {
    matches!(
        word,
        "mail"
            | "email"
            | "message"
            | "sms"
            | "dm"
            | "call"
            | "webhook"
            | "order"
            | "invoice"
            | "trade"
            | "charge"
            | "refund"
            | "comment"
            | "label"
            | "book"
            | "draft"
            | "star"
            | "shell"
            | "terminal"
            | "python"
            | "node"
            | "status"
            | "post"
            | "format"
            | "store"
            | "import"
            | "archive"
            | "wire"
            | "mark"
            | "copy"
            | "set"
    )
}

/// Whether several verbs are meant: `read_and_send`.
pub(crate) fn joins(word: &str) -> bool {
    matches!(word, "and" | "then" | "or" | "plus")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(name: &str) -> Vec<String> {
        words(name).collect()
    }

    #[test]
    fn one_name_in_every_spelling() {
        for name in ["send_email", "sendEmail", "send.email", "SEND-EMAIL", " send  email ", "Send/Email"] {
            assert_eq!(split(name), ["send", "email"], "{name}");
        }
        assert_eq!(split("v2Delete"), ["v2", "delete"]);
        assert_eq!(split("...").len(), 0);
    }

    #[test]
    fn verbs_in_every_form() {
        for word in ["delete", "deleted", "deleting", "remove", "removing"] {
            assert_eq!(verb(word), Some(ActionClass::Delete), "{word}");
        }
        assert_eq!(verb("sending"), Some(ActionClass::Send));
        assert_eq!(verb("calendar"), None);
    }
}
