;; A walk along a linked list, each element changed on the way.
(module
  (memory 1)
  (func (export "run") (param $n i32) (result i32) (local $at i32) (local $i i32)
    ;; 512 elements of two words: next and value.
    (loop $link
      (i32.store (i32.shl (local.get $i) (i32.const 3))
        (i32.shl (i32.and (i32.mul (i32.add (local.get $i) (i32.const 1)) (i32.const 5)) (i32.const 511)) (i32.const 3)))
      (br_if $link (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 512))))
    (loop $walk
      (i32.store offset=4 (local.get $at) (i32.add (i32.load offset=4 (local.get $at)) (local.get $n)))
      (local.set $at (i32.load (local.get $at)))
      (br_if $walk (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (i32.load offset=4 (local.get $at))))
