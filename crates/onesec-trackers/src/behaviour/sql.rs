//! What a text of SQL does, read so that nothing it says is lost: dialects differ in comments, quotation marks and the
//! ends of statements, so what any of them would run counts.

use onesec_telemetry::{ActionClass, ActionSet};

/// What the statements of `text` do; nothing where it is none. In a `query` that may be the words of a search, a verb
/// counts where what belongs to it follows: "update on the budget" changes nothing.
pub(crate) fn classes(text: &str, surely: bool) -> Option<ActionSet> {
    let mut found = ActionSet::EMPTY;
    for statement in text.split(';') {
        let code = code_of(statement);
        let words: Vec<&str> = words(&code).collect();
        let Some((first, rest)) = words.split_first() else { continue };
        if let Some(class) = verb(first).filter(|_| surely || belongs(first, rest, rest.len())) {
            found = found.with(class);
        }
        // Behind a comment, `WITH` or `EXPLAIN`, or where a dialect needs no semicolon.
        let inside = (0..rest.len()).filter_map(|at| {
            let (verb_at, after) = rest.get(at..)?.split_first()?;
            verb(verb_at).filter(|class| *class != ActionClass::Read && belongs(verb_at, after, NEAR))
        });
        found = inside.fold(found, ActionSet::with);
    }
    (!found.is_empty()).then_some(found)
}

/// Words between a verb and what belongs to it, where the verb is not the first word: `DELETE LOW_PRIORITY QUICK FROM`.
const NEAR: usize = 3;

fn verb(word: &str) -> Option<ActionClass> {
    let is = |names: &[&str]| names.iter().any(|name| word.eq_ignore_ascii_case(name));
    Some(if is(&["SELECT", "SHOW", "EXPLAIN", "DESCRIBE", "DESC", "WITH", "VALUES", "PRAGMA"]) {
        ActionClass::Read
    } else if is(&["INSERT", "UPDATE", "CREATE", "ALTER", "MERGE", "GRANT", "REPLACE", "UPSERT"]) {
        ActionClass::Write
    } else if is(&["DELETE", "DROP", "TRUNCATE", "REVOKE"]) {
        ActionClass::Delete
    } else if is(&["EXEC", "EXECUTE", "CALL", "COPY", "DO", "PREPARE", "LOAD", "ATTACH"]) {
        ActionClass::Execute
    } else {
        return None;
    })
}

/// Whether `after` has what belongs to `verb` within its first `near` words.
fn belongs(verb: &str, after: &[&str], near: usize) -> bool {
    const OBJECTS: [&str; 24] = [
        "TABLE",
        "DATABASE",
        "SCHEMA",
        "VIEW",
        "INDEX",
        "USER",
        "ROLE",
        "FUNCTION",
        "PROCEDURE",
        "TRIGGER",
        "SEQUENCE",
        "TYPE",
        "EXTENSION",
        "COLUMN",
        "CONSTRAINT",
        "POLICY",
        "DOMAIN",
        "SERVER",
        "TABLESPACE",
        "MATERIALIZED",
        "PARTITION",
        "LOGIN",
        "EVENT",
        "KEYSPACE",
    ];
    let is = |name: &str| verb.eq_ignore_ascii_case(name);
    let near = after.get(..near.min(after.len())).unwrap_or_default();
    let has = |names: &[&str]| near.iter().any(|word| names.iter().any(|name| word.eq_ignore_ascii_case(name)));
    if is("DELETE") {
        // Some dialects do without `FROM`.
        has(&["FROM", "WHERE"]) || after.len() == 1
    } else if is("DROP") || is("ALTER") || is("CREATE") {
        has(&OBJECTS)
    } else if is("TRUNCATE") {
        has(&["TABLE"]) || after.len() == 1
    } else if is("INSERT") || is("REPLACE") || is("UPSERT") {
        has(&["INTO", "VALUES"])
    } else if is("UPDATE") {
        has(&["SET"])
    } else if is("MERGE") {
        has(&["INTO", "USING"])
    } else if is("GRANT") || is("REVOKE") {
        has(&["ON", "TO", "FROM"]) && after.len() >= 3
    } else if is("COPY") {
        has(&["FROM", "TO"]) && has(&["STDIN", "STDOUT", "PROGRAM", "WITH", "CSV"])
    } else if is("LOAD") {
        has(&["DATA", "INFILE"])
    } else if is("ATTACH") {
        has(&["DATABASE", "AS"])
    } else if is("PREPARE") {
        has(&["AS", "FROM"])
    } else if is("EXEC") || is("EXECUTE") {
        has(&["IMMEDIATE", "PROCEDURE", "USING", "SP_EXECUTESQL", "XP_CMDSHELL"]) || after.len() == 1
    } else {
        !is("CALL") && !is("DO")
    }
}

/// `statement` without its literals where every dialect agrees on where they end.
fn code_of(statement: &str) -> String {
    let doubtful = ["\\", "''", "--", "/*", "#", "$"].iter().any(|mark| statement.contains(mark));
    if doubtful || statement.matches('\'').count() % 2 == 1 {
        return statement.to_owned();
    }
    statement.split('\'').step_by(2).collect::<Vec<_>>().join(" ")
}

/// The words of `code`; `50000DROP`, as in a comment that one dialect runs, is `DROP`.
fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .map(|word| word.trim_start_matches(|c: char| c.is_ascii_digit()))
        .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use ActionClass::{Delete, Execute, Read, Write};

    use super::*;

    fn found(text: &str, surely: bool) -> Vec<ActionClass> {
        classes(text, surely).map(|set| set.iter().collect()).unwrap_or_default()
    }

    #[test]
    fn what_any_dialect_would_run_counts() {
        for text in [
            "/* x */ DROP TABLE t",
            "-- note\nDROP TABLE t",
            "# note\ndrop table t",
            "(DELETE FROM t)",
            "/*!50000DROP*/ TABLE t",
            "/*!50000 DROP TABLE t */",
            "WITH gone AS (DELETE FROM t RETURNING *) SELECT * FROM gone",
            "EXPLAIN ANALYZE DELETE FROM t",
            "select 1 drop table t",
            "select 1\nGO\ndrop table t\nGO",
            "/* ; */ drop table t",
            "/* ; x */ drop table t",
            "select '\\'; drop table t -- '",
            "delete t",
            "DELETE LOW_PRIORITY QUICK FROM t",
            "truncate t",
        ] {
            assert!(found(text, true).contains(&Delete), "{text}");
            assert!(found(text, false).contains(&Delete), "{text}");
        }
        let padded = "select 1;".repeat(400) + "drop table t";
        assert!(found(&padded, false).contains(&Delete));
        assert!(found("select 1; exec xp_cmdshell 'dir'", true).contains(&Execute));
        assert!(found("insert into t values (1)", false).contains(&Write));
        assert!(found("update t set a = 1", false).contains(&Write));
    }

    #[test]
    fn a_question_changes_nothing() {
        for text in [
            "select * from orders where status = 'drop table'",
            "select deleted, updated from t -- all deleted orders",
            "with recent as (select * from t) select count(*) from recent",
            "explain select 1 from t",
        ] {
            assert_eq!(found(text, true), [Read], "{text}");
        }
        for text in [
            "update on the budget",
            "delete old mails how to",
            "drop in sales last quarter",
            "create a budget in excel",
            "call centre hours",
            "replace a broken screen",
            "grant applications",
            "insert coin",
        ] {
            assert_eq!(found(text, false), [], "{text}");
        }
    }
}
