; x * x is never 2 modulo 4, whatever its width; an array read sees the last write.
(set-logic QF_ABV)
(declare-fun x () (_ BitVec 24))
(declare-fun a () (Array (_ BitVec 8) (_ BitVec 24)))
(declare-fun i () (_ BitVec 8))
(assert (= ((_ extract 1 0) (select (store a i (bvmul x x)) i)) #b10))
(check-sat)
(exit)
