(000) ldh      [12]
(001) jeq      #0x86dd          jt 2	jf 8
(002) ldb      [20]
(003) jeq      #0x6             jt 4	jf 40
(004) ldh      [54]
(005) jeq      #0x50            jt 39	jf 6
(006) ldh      [56]
(007) jeq      #0x50            jt 39	jf 40
(008) jeq      #0x800           jt 9	jf 18
(009) ldb      [23]
(010) jeq      #0x6             jt 11	jf 40
(011) ldh      [20]
(012) jset     #0x1fff          jt 40	jf 13
(013) ldxb     4*([14]&0xf)
(014) ldh      [x + 14]
(015) jeq      #0x50            jt 39	jf 16
(016) ldh      [x + 16]
(017) jeq      #0x50            jt 39	jf 40
(018) jeq      #0x8100          jt 21	jf 19
(019) jeq      #0x88a8          jt 21	jf 20
(020) jeq      #0x9100          jt 21	jf 40
(021) ldh      [16]
(022) jeq      #0x86dd          jt 23	jf 29
(023) ldb      [24]
(024) jeq      #0x6             jt 25	jf 40
(025) ldh      [58]
(026) jeq      #0x50            jt 39	jf 27
(027) ldh      [60]
(028) jeq      #0x50            jt 39	jf 40
(029) jeq      #0x800           jt 30	jf 40
(030) ldb      [27]
(031) jeq      #0x6             jt 32	jf 40
(032) ldh      [24]
(033) jset     #0x1fff          jt 40	jf 34
(034) ldxb     4*([18]&0xf)
(035) ldh      [x + 18]
(036) jeq      #0x50            jt 39	jf 37
(037) ldh      [x + 20]
(038) jeq      #0x50            jt 39	jf 40
(039) ret      #262144
(040) ret      #0
