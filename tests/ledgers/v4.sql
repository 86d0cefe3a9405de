BEGIN TRANSACTION;
CREATE TABLE callback(
        seq INTEGER PRIMARY KEY, campaign TEXT NOT NULL, caller TEXT NOT NULL, caller_kind TEXT NOT NULL,
        state TEXT NOT NULL, reason TEXT NOT NULL, tries INTEGER NOT NULL,
        boot TEXT NOT NULL, mono_ms INTEGER NOT NULL, at_ms INTEGER NOT NULL, clock INTEGER NOT NULL,
        tried_boot TEXT, tried_mono_ms INTEGER, tried_at_ms INTEGER, tried_clock INTEGER);
INSERT INTO "callback" VALUES(20,'water','+919812345679','national','due','busy',1,'0011223344556677',1018,1780000000018,3,'0011223344556677',1019,1780000000019,3);
CREATE TABLE dial(
        seq INTEGER PRIMARY KEY, campaign TEXT NOT NULL, caller TEXT NOT NULL, outcome TEXT NOT NULL,
        seconds INTEGER NOT NULL, boot TEXT NOT NULL, mono_ms INTEGER NOT NULL, at_ms INTEGER NOT NULL,
        clock INTEGER NOT NULL);
INSERT INTO "dial" VALUES(21,'water','+919812345679','unreached',0,'0011223344556677',1019,1780000000019,3);
CREATE TABLE done_order(number INTEGER PRIMARY KEY);
INSERT INTO "done_order" VALUES(1);
CREATE TABLE event(
        seq INTEGER PRIMARY KEY, of INTEGER NOT NULL, kind TEXT NOT NULL,
        boot TEXT NOT NULL, mono_ms INTEGER NOT NULL, at_ms INTEGER NOT NULL, clock INTEGER NOT NULL,
        campaign TEXT NOT NULL, caller TEXT NOT NULL, caller_kind TEXT NOT NULL,
        state TEXT NOT NULL, seconds INTEGER NOT NULL, extra TEXT NOT NULL, chain BLOB NOT NULL);
INSERT INTO "event" VALUES(1,0,'store','0011223344556677',1001,1780000000001,3,'','','','9488092b',0,'{"campaign":"water","line":"l1","number":"+919000000001"}',X'E993026B5FF27152');
INSERT INTO "event" VALUES(2,0,'call','0011223344556677',1002,1780000000002,3,'water','+919812345678','national','missed',0,'',X'8BD6331F442A1882');
INSERT INTO "event" VALUES(3,0,'message','0011223344556677',1002,1780000000002,3,'water','+919812345678','national','queued',0,'{"direction":"out","language":"en","parts":1,"text":"Thank you"}',X'84046D48866DEC5C');
INSERT INTO "event" VALUES(4,3,'message','0011223344556677',1003,1780000000003,3,'','','','sending',0,'',X'292CC4FCB18E6438');
INSERT INTO "event" VALUES(5,3,'message','0011223344556677',1004,1780000000004,3,'','','','sent',0,'',X'83ADBAC831AF689F');
INSERT INTO "event" VALUES(6,3,'message','0011223344556677',1005,1780000000005,3,'','','','delivered',0,'',X'D550CCB8A1BA9E8B');
INSERT INTO "event" VALUES(7,2,'call','0011223344556677',1006,1780000000006,3,'','','','talked',0,'',X'292CDE879C14CAD9');
INSERT INTO "event" VALUES(8,0,'step','0011223344556677',1007,1780000000007,3,'','','','connected',0,'{"call":2,"ms":0}',X'031101DB0C9C759B');
INSERT INTO "event" VALUES(9,0,'step','0011223344556677',1008,1780000000008,3,'','','','key',0,'{"call":2,"key":"1","ms":900,"node":"main"}',X'0859D6941CD580D8');
INSERT INTO "event" VALUES(10,0,'language','0011223344556677',1009,1780000000009,3,'','+919812345678','national','hi',0,'',X'0BB496ACD080EC74');
INSERT INTO "event" VALUES(11,0,'answer','0011223344556677',1010,1780000000010,3,'water','+919812345678','national','yes',0,'{"call":2,"issue":"tap","key":"1","language":"hi","node":"vote"}',X'8FCA0D212FAD457B');
INSERT INTO "event" VALUES(12,0,'recording','0011223344556677',1011,1780000000011,3,'water','+919812345678','national','recording',0,'{"call":2,"case":true,"file":"9488092b-12.wav","language":"hi","node":"tell","tags":"water"}',X'07C1EDB798CC1EF3');
INSERT INTO "event" VALUES(13,12,'recording','0011223344556677',1012,1780000000012,3,'','','','kept',4,'{"ms":4000,"sha256":"abababababababababababababababababababababababababababababababab","speech_ms":3000}',X'2D615F014A950A1F');
INSERT INTO "event" VALUES(14,0,'case','0011223344556677',1013,1780000000013,3,'water','+919812345678','national','new',0,'{"call":2,"due_ms":1780086400002,"language":"hi","node":"tell","opened_ms":1780000000002,"recording":12,"reference":"2200145","tags":"water"}',X'A5000DEBCF5FA2FF');
INSERT INTO "event" VALUES(15,0,'message','0011223344556677',1013,1780000000013,3,'water','+919812345678','national','queued',0,'{"direction":"out","language":"hi","parts":1,"text":"2200145"}',X'2C4D3158C798B878');
INSERT INTO "event" VALUES(16,0,'consent','0011223344556677',1014,1780000000014,3,'water','+919812345678','national','whatsapp',0,'{"call":2,"evidence":"key 1","language":"hi","node":"join","wording":"2d711642b726b044"}',X'65AADEB5A32A8A13');
INSERT INTO "event" VALUES(17,2,'call','0011223344556677',1015,1780000000015,3,'','','','talked',40,'',X'D187CFA5AD5E9079');
INSERT INTO "event" VALUES(18,0,'call','0011223344556677',1016,1780000000016,3,'water','','withheld','missed',0,'',X'DBA0CB35738C6B8B');
INSERT INTO "event" VALUES(19,18,'call','0011223344556677',1017,1780000000017,3,'','','','gave-up',0,'',X'990A3394DE9B054D');
INSERT INTO "event" VALUES(20,0,'call','0011223344556677',1018,1780000000018,3,'water','+919812345679','national','missed',0,'',X'3473AD656E8E7F3E');
INSERT INTO "event" VALUES(21,0,'call','0011223344556677',1019,1780000000019,3,'water','+919812345679','national','unreached',0,'{"for":20,"try":1}',X'3AAD362180AAD95B');
INSERT INTO "event" VALUES(22,21,'call','0011223344556677',1020,1780000000020,3,'','','','unreached',0,'{"why":"busy"}',X'EBA219B69FCDD214');
INSERT INTO "event" VALUES(23,0,'order','0011223344556677',1021,1780000000021,3,'','','','refused',0,'{"order":1,"why":"no"}',X'7498C997D7F4CF53');
INSERT INTO "event" VALUES(24,0,'message','0011223344556677',1022,1780000000022,3,'water','+919812345678','national','received',0,'{"direction":"in","text":"STOP"}',X'53CBDF62BD42DCCC');
INSERT INTO "event" VALUES(25,0,'optout','0011223344556677',1022,1780000000022,3,'','+919812345678','national','on',0,'',X'5457C36A478482D7');
INSERT INTO "event" VALUES(26,0,'note','0011223344556677',1023,1780000000023,3,'','','','unreadable-sms',0,'{"octets":5}',X'426BB89E10378818');
INSERT INTO "event" VALUES(27,0,'recording','0011223344556677',1025,1780000000025,3,'water','+919812345678','national','recording',0,'{"call":2,"file":"9488092b-27.wav","language":"hi","node":"tell"}',X'A27324E2D246499E');
INSERT INTO "event" VALUES(28,0,'line','0011223344556677',1026,1780000000026,3,'','','','ready',0,'{"operator":"Vi"}',X'AE3EE80ED953EAEA');
CREATE TABLE grievance(
        seq INTEGER PRIMARY KEY, campaign TEXT NOT NULL, caller TEXT NOT NULL, reference TEXT NOT NULL,
        state TEXT NOT NULL, due_ms INTEGER NOT NULL DEFAULT 0);
INSERT INTO "grievance" VALUES(14,'water','+919812345678','2200145','new',1780086400002);
CREATE TABLE language(caller TEXT PRIMARY KEY, language TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO "language" VALUES('+919812345678','hi');
CREATE TABLE message(
        seq INTEGER PRIMARY KEY, campaign TEXT NOT NULL, caller TEXT NOT NULL, caller_kind TEXT NOT NULL,
        direction TEXT NOT NULL, language TEXT NOT NULL, text TEXT NOT NULL, parts INTEGER NOT NULL,
        state TEXT NOT NULL, reason TEXT NOT NULL,
        boot TEXT NOT NULL, mono_ms INTEGER NOT NULL, at_ms INTEGER NOT NULL, clock INTEGER NOT NULL,
        sent_boot TEXT, sent_mono_ms INTEGER, sent_at_ms INTEGER, sent_clock INTEGER,
        refs TEXT NOT NULL DEFAULT '[]', reported TEXT NOT NULL DEFAULT '[]', purpose TEXT NOT NULL DEFAULT 'reply');
INSERT INTO "message" VALUES(3,'water','+919812345678','national','out','en','Thank you',1,'delivered','','0011223344556677',1002,1780000000002,3,'0011223344556677',1003,1780000000003,3,'[7]','[]','reply');
INSERT INTO "message" VALUES(15,'water','+919812345678','national','out','hi','2200145',1,'queued','','0011223344556677',1013,1780000000013,3,NULL,NULL,NULL,NULL,'[]','[]','reference');
INSERT INTO "message" VALUES(24,'water','+919812345678','national','in','','STOP',1,'received','','0011223344556677',1022,1780000000022,3,NULL,NULL,NULL,NULL,'[]','[]','reply');
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO "meta" VALUES('box','box-1');
INSERT INTO "meta" VALUES('line','l1');
INSERT INTO "meta" VALUES('store','9488092b');
CREATE TABLE optout(caller TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO "optout" VALUES('+919812345678',25);
CREATE TABLE part(
        caller TEXT NOT NULL, reference INTEGER NOT NULL, total INTEGER NOT NULL, place INTEGER NOT NULL,
        text TEXT NOT NULL, units BLOB NOT NULL, at_ms INTEGER NOT NULL,
        PRIMARY KEY (caller, reference, total, place)) WITHOUT ROWID;
INSERT INTO "part" VALUES('+919812345678',1,2,1,'half',X'',1780000000024);
CREATE TABLE seen(fingerprint BLOB PRIMARY KEY) WITHOUT ROWID;
INSERT INTO "seen" VALUES(X'6666666666666666');
INSERT INTO "seen" VALUES(X'6868686868686868');
CREATE TABLE take(seq INTEGER PRIMARY KEY, file TEXT NOT NULL, state TEXT NOT NULL);
INSERT INTO "take" VALUES(12,'9488092b-12.wav','kept');
INSERT INTO "take" VALUES(27,'9488092b-27.wav','recording');
CREATE TABLE unreadable(pdu TEXT PRIMARY KEY) WITHOUT ROWID;
INSERT INTO "unreadable" VALUES('07910000FF');
CREATE INDEX event_calls ON event(at_ms) WHERE kind = 'call' AND of = 0;
CREATE INDEX message_caller ON message(caller);
CREATE INDEX message_open ON message(state) WHERE state IN ('queued', 'held', 'sending');
CREATE INDEX message_sent ON message(sent_at_ms) WHERE sent_boot IS NOT NULL;
CREATE INDEX message_undated ON message(sent_clock) WHERE sent_clock < 2;
CREATE INDEX callback_open ON callback(state) WHERE state IN ('due', 'held', 'placing');
CREATE INDEX callback_caller ON callback(caller);
CREATE INDEX dial_caller ON dial(caller);
CREATE INDEX dial_at ON dial(at_ms);
CREATE INDEX take_state ON take(state);
CREATE INDEX grievance_caller ON grievance(caller);
CREATE INDEX event_voice ON event(kind, at_ms, of, state) WHERE state IN ('talked', 'called-back', 'kept');
CREATE INDEX grievance_open ON grievance(due_ms, state) WHERE state NOT IN ('resolved', 'verified');
CREATE INDEX event_caller ON event(caller) WHERE kind = 'call' AND of = 0;
COMMIT;
PRAGMA user_version = 4;
