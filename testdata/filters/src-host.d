(000) ldh      [12]
(001) jeq      #0x800           jt 2	jf 13
(002) ld       [26]
(003) jeq      #0xc6336450      jt 4	jf 18
(004) ldb      [23]
(005) jeq      #0x84            jt 8	jf 6
(006) jeq      #0x6             jt 8	jf 7
(007) jeq      #0x11            jt 8	jf 17
(008) ldh      [20]
(009) jset     #0x1fff          jt 17	jf 10
(010) ldxb     4*([14]&0xf)
(011) ldh      [x + 14]
(012) jeq      #0x1bb           jt 18	jf 17
(013) jeq      #0x806           jt 15	jf 14
(014) jeq      #0x8035          jt 15	jf 18
(015) ld       [28]
(016) jeq      #0xc6336450      jt 17	jf 18
(017) ret      #262144
(018) ret      #0
