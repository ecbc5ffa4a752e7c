;; A state machine: each step goes through one jump table.
(module
  (func (export "run") (param $n i32) (result i32) (local $state i32) (local $sum i32)
    (loop $step
      (block $join
        (block $d (block $c (block $b (block $a
          (br_table $a $b $c $d (i32.and (local.get $state) (i32.const 3))))
          (local.set $state (i32.add (local.get $state) (i32.const 5))) (br $join))
          (local.set $state (i32.mul (local.get $state) (i32.const 3))) (br $join))
          (local.set $state (i32.xor (local.get $state) (i32.const 0x1234))) (br $join))
        (local.set $state (i32.add (local.get $state) (local.get $n))))
      (local.set $sum (i32.add (local.get $sum) (local.get $state)))
      (br_if $step (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum)))
