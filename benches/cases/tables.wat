;; References moved around in a table.
(module
  (table $t 16 funcref)
  (elem (i32.const 0) $f)
  (func $f)
  (func (export "run") (param $n i32) (result i32)
    (loop $again
      (table.set $t (i32.and (local.get $n) (i32.const 15)) (table.get $t (i32.const 0)))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (ref.is_null (table.get $t (i32.const 15)))))
