;; Fibonacci numbers in two globals.
(module
  (global $a (mut i32) (i32.const 0))
  (global $b (mut i32) (i32.const 1))
  (func (export "run") (param $n i32) (result i32) (local $c i32)
    (loop $again
      (local.set $c (i32.add (global.get $a) (global.get $b)))
      (global.set $a (global.get $b))
      (global.set $b (local.get $c))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (global.get $a)))
