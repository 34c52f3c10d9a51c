//! What takes more than one story to say.
