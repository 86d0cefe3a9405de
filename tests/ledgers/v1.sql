BEGIN TRANSACTION;
CREATE TABLE event(
        seq INTEGER PRIMARY KEY, of INTEGER NOT NULL, kind TEXT NOT NULL,
        boot TEXT NOT NULL, mono_ms INTEGER NOT NULL, at_ms INTEGER NOT NULL, clock INTEGER NOT NULL,
        campaign TEXT NOT NULL, caller TEXT NOT NULL, caller_kind TEXT NOT NULL,
        state TEXT NOT NULL, seconds INTEGER NOT NULL, extra TEXT NOT NULL, chain BLOB NOT NULL);
INSERT INTO "event" VALUES(1,0,'store','0011223344556677',1000,1780000000000,3,'','','','9edc434f',0,'{"campaign":"water","line":"l1","number":"+919000000001"}',X'43CB499E976C739F');
INSERT INTO "event" VALUES(2,0,'call','0011223344556677',1001,1780000000001,3,'water','+919812345678','national','missed',0,'',X'491454BE1714D208');
INSERT INTO "event" VALUES(3,0,'message','0011223344556677',1001,1780000000001,3,'water','+919812345678','national','queued',0,'{"direction":"out","language":"en","parts":1,"text":"Thank you"}',X'553D52E62AA23A79');
INSERT INTO "event" VALUES(4,3,'message','0011223344556677',1002,1780000000002,3,'','','','sending',0,'',X'6741D4743638352E');
INSERT INTO "event" VALUES(5,3,'message','0011223344556677',1003,1780000000003,3,'','','','sent',0,'',X'EDEE4621869BFD1E');
INSERT INTO "event" VALUES(6,3,'message','0011223344556677',1004,1780000000004,3,'','','','delivered',0,'',X'B5D3570B1987B3C6');
INSERT INTO "event" VALUES(7,0,'call','0011223344556677',1005,1780000000005,3,'water','','withheld','missed',0,'',X'052FEA1F75B4DD8F');
INSERT INTO "event" VALUES(8,0,'call','0011223344556677',1006,1780000000006,3,'water','+919812345679','national','missed',0,'',X'F841983CA6EEEC42');
INSERT INTO "event" VALUES(9,0,'message','0011223344556677',1006,1780000000006,3,'water','+919812345679','national','queued',0,'{"direction":"out","language":"hi","parts":1,"text":"धन्यवाद"}',X'8E3DE29DEFA59CEF');
INSERT INTO "event" VALUES(10,8,'call','0011223344556677',1007,1780000000007,3,'','','','gave-up',0,'',X'54D6840151EF34CF');
INSERT INTO "event" VALUES(11,0,'message','0011223344556677',1008,1780000000008,3,'water','+919812345678','national','received',0,'{"direction":"in","text":"STOP"}',X'74308059AEF0F5DA');
INSERT INTO "event" VALUES(12,0,'optout','0011223344556677',1008,1780000000008,3,'','+919812345678','national','on',0,'',X'A8FD0E740D7559B7');
INSERT INTO "event" VALUES(13,0,'message','0011223344556677',1009,1780000000009,3,'water','+919812345678','national','received',0,'{"direction":"in","text":"hi"}',X'B300F8AB659EB5D9');
INSERT INTO "event" VALUES(14,0,'language','0011223344556677',1009,1780000000009,3,'','+919812345678','national','hi',0,'',X'55BAF2B546FEB45F');
INSERT INTO "event" VALUES(15,0,'line','0011223344556677',1011,1780000000011,3,'','','','ready',0,'{"operator":"Vi"}',X'57C438C9940DC5EB');
CREATE TABLE language(caller TEXT PRIMARY KEY, language TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO "language" VALUES('+919812345678','hi');
CREATE TABLE message(
        seq INTEGER PRIMARY KEY, campaign TEXT NOT NULL, caller TEXT NOT NULL, caller_kind TEXT NOT NULL,
        direction TEXT NOT NULL, language TEXT NOT NULL, text TEXT NOT NULL, parts INTEGER NOT NULL,
        state TEXT NOT NULL, reason TEXT NOT NULL,
        boot TEXT NOT NULL, mono_ms INTEGER NOT NULL, at_ms INTEGER NOT NULL, clock INTEGER NOT NULL,
        sent_boot TEXT, sent_mono_ms INTEGER, sent_at_ms INTEGER, sent_clock INTEGER,
        refs TEXT NOT NULL DEFAULT '[]', reported TEXT NOT NULL DEFAULT '[]');
INSERT INTO "message" VALUES(3,'water','+919812345678','national','out','en','Thank you',1,'delivered','','0011223344556677',1001,1780000000001,3,'0011223344556677',1002,1780000000002,3,'[7]','[]');
INSERT INTO "message" VALUES(9,'water','+919812345679','national','out','hi','धन्यवाद',1,'queued','','0011223344556677',1006,1780000000006,3,NULL,NULL,NULL,NULL,'[]','[]');
INSERT INTO "message" VALUES(11,'water','+919812345678','national','in','','STOP',1,'received','','0011223344556677',1008,1780000000008,3,NULL,NULL,NULL,NULL,'[]','[]');
INSERT INTO "message" VALUES(13,'water','+919812345678','national','in','','hi',1,'received','','0011223344556677',1009,1780000000009,3,NULL,NULL,NULL,NULL,'[]','[]');
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO "meta" VALUES('box','box-1');
INSERT INTO "meta" VALUES('line','l1');
INSERT INTO "meta" VALUES('store','9edc434f');
CREATE TABLE optout(caller TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO "optout" VALUES('+919812345678',12);
CREATE TABLE part(
        caller TEXT NOT NULL, reference INTEGER NOT NULL, total INTEGER NOT NULL, place INTEGER NOT NULL,
        text TEXT NOT NULL, units BLOB NOT NULL, at_ms INTEGER NOT NULL,
        PRIMARY KEY (caller, reference, total, place)) WITHOUT ROWID;
INSERT INTO "part" VALUES('+919812345678',1,2,1,'half',X'',1780000000010);
CREATE TABLE seen(fingerprint BLOB PRIMARY KEY) WITHOUT ROWID;
INSERT INTO "seen" VALUES(X'6666666666666666');
INSERT INTO "seen" VALUES(X'6767676767676767');
INSERT INTO "seen" VALUES(X'6868686868686868');
CREATE INDEX event_calls ON event(at_ms) WHERE kind = 'call' AND of = 0;
CREATE INDEX message_caller ON message(caller);
CREATE INDEX message_open ON message(state) WHERE state IN ('queued', 'held', 'sending');
CREATE INDEX message_sent ON message(sent_at_ms) WHERE sent_boot IS NOT NULL;
COMMIT;
PRAGMA user_version = 1;
