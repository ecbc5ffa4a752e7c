;; Two functions that call each other at their ends.
(module
  (func $even (param $n i32) (param $sum i32) (result i32)
    (if (result i32) (i32.eqz (local.get $n))
      (then (local.get $sum))
      (else (return_call $odd (i32.sub (local.get $n) (i32.const 1)) (i32.add (local.get $sum) (local.get $n))))))
  (func $odd (param $n i32) (param $sum i32) (result i32)
    (if (result i32) (i32.eqz (local.get $n))
      (then (local.get $sum))
      (else (return_call $even (i32.sub (local.get $n) (i32.const 1)) (i32.xor (local.get $sum) (local.get $n))))))
  (func (export "run") (param $n i32) (result i32) (call $even (local.get $n) (i32.const 0))))
