//! What a host does with values and references: the same on both engines, whose API has the same names.

/// Expands to it, where the names of an engine are in scope.
macro_rules! host {
    () => {
        /// What a host function does.
        fn called(
            caller: &mut Caller<'_, Data>,
            seed: u64,
            kinds: &[Kind],
            params: &[Val],
            results: &mut [Val],
        ) -> Result<(), Error> {
            let params: Vec<Value> =
                params.iter().map(|value| to_value(caller, value, 0)).collect();
            let mut rng = caller.data_mut().host.called(seed, &params);
            for (result, &kind) in results.iter_mut().zip(kinds) {
                *result = from_value(caller, &Value::from_bits(kind, rng.edge()))?;
            }
            if let Some(callback) = caller.data().callback
                && caller.data_mut().host.enter()
            {
                let done = callback.call(&mut *caller, &[], &mut []);
                caller.data_mut().host.leave();
                done?;
            }
            if caller.data().host.throws()
                && let Some((tag, kinds)) = caller.data().tag.clone()
            {
                let fields: Vec<Val> = kinds
                    .iter()
                    .map(|&kind| from_value(caller, &Value::from_bits(kind, rng.edge())))
                    .collect::<Result<_, Error>>()?;
                let ty = ExnType::from_tag_type(&tag.ty(&*caller))?;
                let pre = ExnRefPre::new(&mut *caller, ty);
                let exception = ExnRef::new(&mut *caller, &pre, &tag, &fields)?;
                caller.as_context_mut().throw::<()>(exception)?;
            }
            Ok(())
        }

        /// How values of a type can be made, if they can.
        fn kind(ty: &ValType) -> Option<Kind> {
            Some(match ty {
                ValType::I32 => Kind::I32,
                ValType::I64 => Kind::I64,
                ValType::F32 => Kind::F32,
                ValType::F64 => Kind::F64,
                ValType::V128 => Kind::V128,
                ValType::Ref(ty) => reference(ty)?,
            })
        }

        fn reference(ty: &RefType) -> Option<Kind> {
            let null = ty.is_nullable();
            match ty.heap_type() {
                HeapType::Any | HeapType::Eq | HeapType::I31 => return Some(Kind::I31(null)),
                HeapType::Extern => return Some(Kind::Host(null)),
                _ => {}
            }
            let top = match ty.heap_type().top() {
                HeapType::Func => Reference::Func,
                HeapType::Extern => Reference::Extern,
                HeapType::Any => Reference::Any,
                HeapType::Exn => Reference::Exn,
                other => panic!("unexpected type {other}"),
            };
            null.then_some(Kind::Ref(top))
        }

        /// A value, if there is room for it.
        fn from_value(
            store: &mut impl AsContextMut<Data = Data>,
            value: &Value,
        ) -> Result<Val, Error> {
            Ok(match *value {
                Value::I32(x) => Val::I32(x),
                Value::I64(x) => Val::I64(x),
                Value::F32(bits) => Val::F32(bits),
                Value::F64(bits) => Val::F64(bits),
                Value::V128(bits) => Val::V128(V128::from(bits)),
                Value::Null(Reference::Func) => Val::FuncRef(None),
                Value::Null(Reference::Extern) => Val::ExternRef(None),
                Value::Null(Reference::Any) => Val::AnyRef(None),
                Value::Null(Reference::Exn) => Val::ExnRef(None),
                Value::I31(x) => Val::AnyRef(Some(AnyRef::from_i31(store, I31::wrapping_i32(x)))),
                Value::Host(x) => Val::ExternRef(Some(ExternRef::new(store, x)?)),
                Value::Struct(_) | Value::Array(..) | Value::NonNull(_) => {
                    panic!("{value:?} is not made here")
                }
            })
        }

        /// `depth` says how many structures and arrays it is in.
        fn to_value(store: &mut impl AsContextMut<Data = Data>, value: &Val, depth: u32) -> Value {
            match value {
                Val::I32(x) => Value::I32(*x),
                Val::I64(x) => Value::I64(*x),
                Val::F32(bits) => Value::F32(*bits),
                Val::F64(bits) => Value::F64(*bits),
                Val::V128(bits) => Value::V128(bits.as_u128()),
                Val::FuncRef(None) => Value::Null(Reference::Func),
                Val::ExternRef(None) => Value::Null(Reference::Extern),
                Val::AnyRef(None) => Value::Null(Reference::Any),
                Val::ExnRef(None) => Value::Null(Reference::Exn),
                Val::FuncRef(Some(_)) => Value::NonNull(Reference::Func),
                Val::ExternRef(Some(reference)) => {
                    let data = reference.data(store.as_context()).expect("it is rooted");
                    match data.and_then(|data| data.downcast_ref()) {
                        Some(&number) => Value::Host(number),
                        None => Value::NonNull(Reference::Extern),
                    }
                }
                Val::AnyRef(Some(reference)) => {
                    inside(store, *reference, depth).expect("it is rooted")
                }
                Val::ExnRef(Some(_)) => Value::NonNull(Reference::Exn),
                other => panic!("unexpected value {other:?}"),
            }
        }

        /// What is in a structure or array.
        fn inside(
            store: &mut impl AsContextMut<Data = Data>,
            reference: Rooted<AnyRef>,
            depth: u32,
        ) -> Result<Value, Error> {
            if let Some(number) = reference.as_i31(&*store)? {
                return Ok(Value::I31(number.get_i32()));
            }
            let mut values = Vec::new();
            if let Some(structure) = reference.as_struct(&*store)? {
                if depth < DEPTH {
                    let fields: Vec<Val> = structure.fields(&mut *store)?.collect();
                    values.extend(fields.iter().map(|field| to_value(store, field, depth + 1)));
                }
                return Ok(Value::Struct(values));
            }
            let Some(array) = reference.as_array(&*store)? else {
                return Ok(Value::NonNull(Reference::Any));
            };
            let len = array.len(&*store)?;
            if depth < DEPTH {
                for i in 0..len.min(ELEMENTS) {
                    let element = array.get(&mut *store, i)?;
                    values.push(to_value(store, &element, depth + 1));
                }
            }
            Ok(Value::Array(len, values))
        }
    };
}
pub(crate) use host;
