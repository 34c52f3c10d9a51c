//! Files that nobody but us has business in.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use onesec_telemetry::Secret;

/// Written beside and moved into place: the file is never there with half a secret or other eyes on it.
pub(crate) fn write_private(path: &Path, secret: &Secret) -> std::io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    match std::fs::remove_file(&beside) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(secret.expose_to_wire().as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    // The name is durable once its directory is.
    path.parent().map_or(Ok(()), |dir| std::fs::File::open(dir)?.sync_all())
}
