//! One table makes the kinds: types, decoding, display and schema come from the same lines.

/// How a field is stored: as itself where it is required, optional otherwise.
macro_rules! stored {
    (req $ty:ty) => { $ty };
    (reqt $ty:ty) => { $ty };
    (opt $ty:ty) => { Option<$ty> };
    (optt $ty:ty) => { Option<$ty> };
}

macro_rules! finish_field {
    (req $slot:ident $name:expr) => { finish_field!(@required $slot $name) };
    (reqt $slot:ident $name:expr) => { finish_field!(@required $slot $name) };
    (opt $slot:ident $name:expr) => { $slot };
    (optt $slot:ident $name:expr) => { $slot };
    (@required $slot:ident $name:expr) => {
        match $slot {
            Some(value) => value,
            None => return Err($name),
        }
    };
}

macro_rules! show_field {
    (req $self:ident $field:ident $map:ident) => { show_field!(@put &$self.$field, $field $map) };
    (reqt $self:ident $field:ident $map:ident) => { show_field!(@put &$self.$field, $field $map) };
    (opt $self:ident $field:ident $map:ident) => { show_field!(@maybe $self $field $map) };
    (optt $self:ident $field:ident $map:ident) => { show_field!(@maybe $self $field $map) };
    (@maybe $self:ident $field:ident $map:ident) => {
        if let Some(value) = &$self.$field { show_field!(@put value, $field $map) }
    };
    (@put $value:expr, $field:ident $map:ident) => {{
        $map.insert(stringify!($field).to_owned(), $crate::event::field::FieldType::show($value));
    }};
}

macro_rules! is_required {
    (req) => {
        true
    };
    (reqt) => {
        true
    };
    (opt) => {
        false
    };
    (optt) => {
        false
    };
}

macro_rules! is_trust {
    (reqt) => {
        true
    };
    (optt) => {
        true
    };
    (req) => {
        false
    };
    (opt) => {
        false
    };
}

/// `kinds!` turns the contract's table into `Kind`, `Details` and one struct per kind.
///
/// A line of a kind is `mode field: Type` with mode `req` (required), `opt`, and `reqt` / `optt` where the
/// field changes trust; `as "alias"` adds spellings. `needs(…)` names the common fields that must be there.
macro_rules! kinds {
    ($(
        $(#[doc = $doc:literal])*
        $category:ident $variant:ident $wire:literal $(| $walias:literal)* $(trust $trust:literal)? needs($($need:ident)*) {
            $( $(#[$fmeta:meta])* $mode:ident $field:ident: $ty:ty $(as $($alias:literal)|+)?, )*
        }
    )*) => {
        /// What happened: one per row of the contract's table.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[non_exhaustive]
        pub enum Kind {
            $( #[doc = concat!("`", $wire, "`")] $variant, )*
            /// `custom.<name>`: any object, for custom detectors.
            Custom,
        }

        impl Kind {
            /// Every kind of the contract, in its order; without `Custom`.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The wire name; `custom` for [`Kind::Custom`].
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $wire,)* Self::Custom => "custom" }
            }

            /// From the wire name or an alias. Exact: a kind in another case is unknown.
            #[must_use]
            pub fn from_wire(name: &str) -> Option<Self> {
                match name { $($wire $(| $walias)* => Some(Self::$variant),)* _ => None }
            }

            /// The part of the system that it speaks of.
            #[must_use]
            pub const fn category(self) -> Category {
                match self { $(Self::$variant => Category::$category,)* Self::Custom => Category::Custom }
            }

            /// What this kind is described by: fields, category, who must be named.
            #[must_use]
            pub fn spec(self) -> KindSpec {
                match self {
                    $(Self::$variant => KindSpec {
                        kind: self,
                        category: Category::$category,
                        description: &[$($doc),*],
                        changes_trust: false $(|| $trust)?,
                        needs: &[$(Need::$need),*],
                        fields: &[$( FieldSpec {
                            name: stringify!($field),
                            aliases: &[$($($alias),+)?],
                            type_name: <$ty as $crate::event::field::FieldType>::NAME,
                            required: is_required!($mode),
                            changes_trust: is_trust!($mode),
                            schema: <$ty as $crate::event::field::FieldType>::schema,
                        } ),*],
                    },)*
                    Self::Custom => KindSpec {
                        kind: self,
                        category: Category::Custom,
                        description: &[" Any JSON object, for custom detectors: the kind is `custom.<name>`."],
                        changes_trust: false,
                        needs: &[],
                        fields: &[],
                    },
                }
            }
        }

        $(
            $(#[doc = $doc])*
            #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
            pub struct $variant {
                $( $(#[$fmeta])*
                   #[doc = concat!("`", stringify!($field), "` of the contract.")]
                   pub $field: stored!($mode $ty), )*
            }
        )*

        /// The typed `details` of an event.
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        #[non_exhaustive]
        pub enum Details {
            $( #[doc = concat!("`", $wire, "`")] $variant($variant), )*
            /// `custom.<name>`; its members are in [`Event::extra`](crate::Event).
            Custom(Custom),
        }

        impl Details {
            /// Which kind this is.
            #[must_use]
            pub const fn kind(&self) -> Kind {
                match self { $(Self::$variant(_) => Kind::$variant,)* Self::Custom(_) => Kind::Custom }
            }

            pub(super) fn show(&self, map: &mut serde_json::Map<String, serde_json::Value>) {
                match self {
                    $( Self::$variant(d) => {
                        let _ = d;
                        $( show_field!($mode d $field map); )*
                    } )*
                    Self::Custom(_) => {}
                }
            }

            /// Reads the members of `details` that are not common to all kinds; returns the name of a
            /// required field that is missing.
            pub(super) fn read(
                kind: Kind,
                custom: &str,
                members: &mut super::members::Members<'_>,
                cx: &mut super::decode::Reading<'_>,
            ) -> Result<Result<Self, &'static str>, super::reject::Fault> {
                match kind {
                    $( Kind::$variant => {
                        $( let $field: Option<$ty> = members.take(stringify!($field), &[$($($alias),+)?], cx)?; )*
                        let build = move || -> Result<Self, &'static str> {
                            Ok(Self::$variant($variant {
                                $( $field: finish_field!($mode $field stringify!($field)), )*
                            }))
                        };
                        Ok(build())
                    } )*
                    Kind::Custom => Ok(Ok(Self::Custom(Custom { name: custom.into() }))),
                }
            }
        }
    };
}
