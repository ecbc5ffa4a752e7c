//! Which proposals a module may use, and how large it may be.

/// The table of proposals: `field FLAG "name"`, where the flag is the validator's. Supporting a proposal begins with
/// moving its row up.
macro_rules! for_each_proposal {
    ($consumer:ident) => {
        $consumer! {
            supported {
                /// Imports and exports of mutable globals.
                mutable_global MUTABLE_GLOBAL "mutable-global";
                /// Conversions of floats to integers that saturate instead of trapping.
                saturating_float_to_int SATURATING_FLOAT_TO_INT "saturating float-to-int conversions";
                /// Operators that extend the sign of narrow integers.
                sign_extension SIGN_EXTENSION "sign-extension operators";
                /// Functions and blocks with any number of results, blocks with parameters.
                multi_value MULTI_VALUE "multi-value";
                /// Reference types, several tables and operators on tables.
                reference_types REFERENCE_TYPES "reference types";
                /// Copying and filling memories and tables, passive segments.
                bulk_memory BULK_MEMORY "bulk memory operations";
                /// Calls that replace their caller.
                tail_call TAIL_CALL "tail call";
                /// Several memories.
                multi_memory MULTI_MEMORY "multi-memory";
                /// Memories and tables indexed by `i64`.
                memory64 MEMORY64 "memory64";
                /// Arithmetic in constant expressions.
                extended_const EXTENDED_CONST "extended constant expressions";
                /// Imports that share the name of their module in the binary.
                compact_imports COMPACT_IMPORTS "compact import section";
            }
            unsupported {
                SIMD "SIMD";
                RELAXED_SIMD "relaxed SIMD";
                THREADS "threads";
                SHARED_EVERYTHING_THREADS "shared-everything threads";
                EXCEPTIONS "exception handling";
                LEGACY_EXCEPTIONS "legacy exception handling";
                FUNCTION_REFERENCES "typed function references";
                GC "garbage collection";
                COMPONENT_MODEL "component model";
                MEMORY_CONTROL "memory control";
                CUSTOM_PAGE_SIZES "custom page sizes";
                STACK_SWITCHING "stack switching";
                WIDE_ARITHMETIC "wide arithmetic";
                CUSTOM_DESCRIPTORS "custom descriptors";
                ACQUIRE_RELEASE_ATOMICS "acquire-release atomics";
                MULTIBYTE_ARRAY_ACCESS "multibyte array access";
            }
        }
    };
}
pub(crate) use for_each_proposal;

macro_rules! features {
    (
        supported { $( $(#[$doc:meta])* $field:ident $flag:ident $name:literal; )* }
        unsupported $unsupported:tt
    ) => {
        /// Which proposals a module may use, and how large it may be. By default, all that this version supports.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[allow(clippy::struct_excessive_bools, reason = "they are independent of each other")]
        pub struct Features {
            $( $(#[$doc])* pub $field: bool, )*
            /// How large the module may be.
            pub limits: Limits,
        }

        impl Default for Features {
            fn default() -> Features {
                Features { $( $field: true, )* limits: Limits::default() }
            }
        }
    };
}
for_each_proposal!(features);

macro_rules! limits {
    ($( $(#[$doc:meta])* $field:ident = $default:literal; )*) => {
        /// How large a module may be.
        ///
        /// The defaults are those that web browsers have agreed on (Wasm JS API, "Implementation-defined Limits") and a
        /// bound on nesting. Lower values are obeyed; those on what browsers limit cannot be raised.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Limits { $( $(#[$doc])* pub $field: u32, )* }

        impl Default for Limits {
            fn default() -> Limits {
                Limits { $( $field: $default, )* }
            }
        }
    };
}

limits! {
    /// Function types.
    types = 1_000_000;
    /// Imports.
    imports = 1_000_000;
    /// Exports.
    exports = 1_000_000;
    /// Functions, with imported ones.
    functions = 1_000_000;
    /// Tables, with imported ones.
    tables = 100_000;
    /// Memories, with imported ones.
    memories = 100;
    /// Globals, with imported ones.
    globals = 1_000_000;
    /// Element segments.
    element_segments = 100_000;
    /// Data segments.
    data_segments = 100_000;
    /// Parameters of one function type.
    params = 1_000;
    /// Results of one function type.
    results = 1_000;
    /// Locals of one function, without its parameters.
    locals = 50_000;
    /// Bytes of one function body.
    body_size = 7_654_321;
    /// Blocks around one operator.
    nesting = 50_000;
}
