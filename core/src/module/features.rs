//! What modules may use: proposals and limits on their shape.

/// Calls a macro with one row per proposal that can be switched: field, `Config` method, the validator's flag, name of the proposal, default.
/// New rows go to the end, as artifacts number them.
#[macro_export]
macro_rules! for_each_feature {
    ($consumer:ident) => {
        $consumer! {
            /// Import and export of mutable globals.
            mutable_global, wasm_mutable_global, MUTABLE_GLOBAL, "mutable-global", true;
            /// Sign extension operators, such as `i32.extend8_s`.
            sign_extension, wasm_sign_extension, SIGN_EXTENSION, "sign-extension", true;
            /// Float-to-integer conversions that do not trap, such as `i32.trunc_sat_f32_s`.
            saturating_float_to_int, wasm_saturating_float_to_int, SATURATING_FLOAT_TO_INT, "saturating-float-to-int", true;
            /// Functions and blocks with several results, blocks with parameters.
            multi_value, wasm_multi_value, MULTI_VALUE, "multi-value", true;
            /// `memory.copy`, `memory.fill`, `memory.init`, `table.init`, passive segments.
            bulk_memory, wasm_bulk_memory, BULK_MEMORY, "bulk-memory", true;
            /// `externref`, several tables, `table.get` and the like.
            reference_types, wasm_reference_types, REFERENCE_TYPES, "reference-types", true;
            /// `return_call` and `return_call_indirect`.
            tail_call, wasm_tail_call, TAIL_CALL, "tail-call", true;
            /// Integer arithmetic in constant expressions.
            extended_const, wasm_extended_const, EXTENDED_CONST, "extended-const", true;
            /// Several memories in one module.
            multi_memory, wasm_multi_memory, MULTI_MEMORY, "multi-memory", true;
            /// Memories and tables indexed by 64-bit integers.
            memory64, wasm_memory64, MEMORY64, "memory64", true;
            /// References to functions of a given type, `call_ref`.
            function_references, wasm_function_references, FUNCTION_REFERENCES, "function-references", true;
            /// Structures, arrays, casts and small integers as references.
            gc, wasm_gc, GC, "gc", true;
            /// Vectors of 128 bits.
            simd, wasm_simd, SIMD, "simd", true;
            /// Operators on vectors that may differ between hosts. Here they do not: they give what the specification's deterministic profile
            /// prescribes.
            relaxed_simd, wasm_relaxed_simd, RELAXED_SIMD, "relaxed-simd", true;
            /// Atomic accesses, and memories that several threads share.
            threads, wasm_threads, THREADS, "threads", true;
            /// Memories whose pages have one byte.
            custom_page_sizes, wasm_custom_page_sizes, CUSTOM_PAGE_SIZES, "custom-page-sizes", true;
            /// Tags, `throw`, `throw_ref`, `try_table`, `exnref`.
            exceptions, wasm_exceptions, EXCEPTIONS, "exceptions", true;
            /// The instructions for exceptions from before `try_table`: `try`, `catch`, `rethrow`, `delegate`. Only in builds with the feature
            /// `legacy-exceptions`.
            legacy_exceptions, wasm_legacy_exceptions, LEGACY_EXCEPTIONS, "legacy-exceptions", false;
            /// Integers of 128 bits: `i64.add128`, `i64.sub128`, `i64.mul_wide_s` and `i64.mul_wide_u`.
            wide_arithmetic, wasm_wide_arithmetic, WIDE_ARITHMETIC, "wide-arithmetic", true;
            /// Import sections that name a module, or a module and a type, once for many imports.
            compact_imports, wasm_compact_imports, COMPACT_IMPORTS, "compact-imports", false;
            /// The custom section `metadata.code.branch_hint`. It changes nothing but the speed of compiled code; where this is
            /// off it is not looked at.
            branch_hinting, wasm_branch_hinting, BRANCH_HINTING, "branch-hinting", false;
        }
    };
}

/// Calls a macro with one row per proposal that this version does not support: the validator's flag, and the name.
/// Supporting one begins with moving its row to [`for_each_feature!`].
#[cfg(feature = "compile")]
macro_rules! for_each_unsupported {
    ($consumer:ident) => {
        $consumer! {
            SHARED_EVERYTHING_THREADS "shared-everything threads";
            COMPONENT_MODEL "component model";
            MEMORY_CONTROL "memory control";
            STACK_SWITCHING "stack switching";
            CUSTOM_DESCRIPTORS "custom descriptors";
            ACQUIRE_RELEASE_ATOMICS "acquire-release atomics";
            MULTIBYTE_ARRAY_ACCESS "multibyte array access";
        }
    };
}
#[cfg(feature = "compile")]
pub(crate) use for_each_unsupported;

macro_rules! features {
    ($( $(#[$doc:meta])* $field:ident, $method:ident, $flag:ident, $name:literal, $default:literal; )*) => {
        /// Which proposals modules may use, and how large their parts may be.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Features {
            $( $(#[$doc])* pub $field: bool, )*
            /// How large the parts of a module may be.
            pub limits: Limits,
        }

        /// The place of a proposal in [`Features::NAMES`] and [`Features::bits`].
        #[derive(Clone, Copy)]
        #[allow(non_camel_case_types, dead_code, reason = "they are called as the fields, and most are not asked for")]
        pub(crate) enum Row { $( $field, )* }

        impl Default for Features {
            fn default() -> Features {
                Features { $( $field: $default, )* limits: Limits::default() }
            }
        }

        impl Features {
            /// What this build has code for, whatever is switched on.
            pub fn in_build() -> Features {
                Features {
                    simd: cfg!(feature = "simd"),
                    relaxed_simd: cfg!(feature = "simd"),
                    gc: cfg!(feature = "gc"),
                    exceptions: cfg!(feature = "gc"),
                    legacy_exceptions: cfg!(feature = "legacy-exceptions"),
                    ..Features { $( $field: true, )* limits: Limits::default() }
                }
            }

            /// The proposals that are switched on, a bit for each. Artifacts have such numbers.
            pub fn bits(&self) -> u64 {
                $( u64::from(self.$field) << Row::$field as u32 | )* 0
            }

            /// The names of the proposals, in the order in which [`Features::switches`] lists them.
            pub const NAMES: &'static [&'static str] = &[$( $name, )*];

            /// The switches, one per name of [`Features::NAMES`].
            pub fn switches(&mut self) -> [&mut bool; Features::NAMES.len()] {
                [$( &mut self.$field, )*]
            }
        }
    };
}

for_each_feature!(features);

/// How large the parts of a module may be. A module that exceeds a limit is rejected when it is decoded, or when it is
/// instantiated if its tables and memories are too large.
///
/// The defaults are the limits that browsers agreed on ([JavaScript API], "Implementation-defined Limits").
///
/// [JavaScript API]: https://webassembly.github.io/spec/js-api/#limits
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Function types.
    pub max_types: u32,
    /// Functions, imported ones included.
    pub max_functions: u32,
    /// Imports.
    pub max_imports: u32,
    /// Exports.
    pub max_exports: u32,
    /// Tables, imported ones included.
    pub max_tables: u32,
    /// Memories, imported ones included.
    pub max_memories: u32,
    /// Globals, imported ones included.
    pub max_globals: u32,
    /// Tags, imported ones included.
    pub max_tags: u32,
    /// Element segments.
    pub max_element_segments: u32,
    /// Data segments.
    pub max_data_segments: u32,
    /// Parameters of a function.
    pub max_params: u32,
    /// Results of a function.
    pub max_results: u32,
    /// Locals of a function, parameters included.
    pub max_locals: u32,
    /// Bytes of a function's body.
    pub max_function_size: u32,
    /// Blocks inside of one another.
    pub max_nesting: u32,
    /// Elements of a table, when it is created and when it grows.
    pub max_table_elements: u64,
    /// Bytes of a memory, when it is created and when it grows.
    pub max_memory_bytes: u64,
    /// Bytes of the managed heap of a store.
    pub max_heap_bytes: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            max_types: 1_000_000,
            max_functions: 1_000_000,
            max_imports: 1_000_000,
            max_exports: 1_000_000,
            max_tables: 100,
            max_memories: 100,
            max_globals: 1_000_000,
            max_tags: 1_000_000,
            max_element_segments: 100_000,
            max_data_segments: 100_000,
            max_params: 1_000,
            max_results: 1_000,
            max_locals: 50_000,
            max_function_size: 7_654_321,
            max_nesting: 10_000,
            max_table_elements: 10_000_000,
            max_memory_bytes: u64::MAX,
            max_heap_bytes: u64::MAX,
        }
    }
}

impl Limits {
    /// Limits for modules from untrusted sources where resources are scarce.
    ///
    /// ```
    /// use kinglet_core::module::features::Limits;
    /// assert!(Limits::strict().max_functions < Limits::default().max_functions);
    /// ```
    pub fn strict() -> Limits {
        Limits {
            max_types: 1_000,
            max_functions: 10_000,
            max_imports: 1_000,
            max_exports: 1_000,
            max_tables: 10,
            max_memories: 10,
            max_globals: 1_000,
            max_tags: 1_000,
            max_element_segments: 1_000,
            max_data_segments: 1_000,
            max_params: 32,
            max_results: 32,
            max_locals: 1_000,
            max_function_size: 1 << 20,
            max_nesting: 200,
            max_table_elements: 100_000,
            max_memory_bytes: 1 << 30,
            max_heap_bytes: 1 << 30,
        }
    }
}
