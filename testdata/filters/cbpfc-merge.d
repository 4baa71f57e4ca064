(000) ldh      [12]
(001) jeq      #0x800           jt 2	jf 24
(002) ldb      [23]
(003) jeq      #0x6             jt 4	jf 24
(004) ldb      [22]
(005) jeq      #0x40            jt 6	jf 13
(006) ldh      [20]
(007) jset     #0x1fff          jt 24	jf 8
(008) ldxb     4*([14]&0xf)
(009) ldh      [x + 16]
(010) jeq      #0x1             jt 11	jf 24
(011) ldh      [x + 24]
(012) jeq      #0x2             jt 21	jf 24
(013) jeq      #0x3f            jt 14	jf 24
(014) ldh      [20]
(015) jset     #0x1fff          jt 24	jf 16
(016) ldxb     4*([14]&0xf)
(017) ldh      [x + 18]
(018) jeq      #0x3             jt 19	jf 24
(019) ldh      [x + 26]
(020) jeq      #0x4             jt 21	jf 24
(021) ldh      [x + 20]
(022) jeq      #0x5             jt 23	jf 24
(023) ret      #262144
(024) ret      #0
