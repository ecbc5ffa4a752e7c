;; The logistic map, in floats of 64 bits.
(module
  (func (export "run") (param $n i32) (result i32) (local $x f64)
    (local.set $x (f64.const 0.3))
    (loop $again
      (local.set $x (f64.mul (f64.mul (f64.const 3.9) (local.get $x)) (f64.sub (f64.const 1) (local.get $x))))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (i32.trunc_f64_s (f64.mul (local.get $x) (f64.const 1e6)))))
