/** Beside a conversation: a person's card in short, or the people of a group. Never needed to do a task. */
import { Button } from "@fluentui/react-button";
import { Dismiss20Regular, Edit20Regular, PeopleAdd20Regular, SignOut20Regular } from "@fluentui/react-icons";
import { useState } from "react";

import { useEngine, useMe, usePerson } from "../engine/hooks";
import { go } from "../engine/place";
import { Avatar } from "../parts/Avatar";
import { IconButton } from "../parts/IconButton";
import { PresenceWords } from "../parts/PresenceWords";
import { TextDialog } from "../parts/TextDialog";
import { ConfirmDialog } from "../parts/ConfirmDialog";
import { NumberList } from "../contacts/NumberList";
import shell from "../shell/shell.module.css";
import { useTexts } from "../texts/texts";
import type { Conversation, Member } from "../wire";
import css from "./chats.module.css";
import { PeopleDialog } from "./PeopleDialog";

export function ChatDetail({ conversation, onClose }: { conversation: Conversation; onClose: () => void }) {
  const { t } = useTexts();
  const room = conversation.kind === "room";
  return (
    <aside className={shell.detail} aria-label={t(room ? "room.about" : "contact.about")} data-pane="detail">
      <div className={css.detailHead}>
        <h2>{t(room ? "room.about" : "contact.about")}</h2>
        <IconButton icon={<Dismiss20Regular />} label={t("close")} onClick={onClose} />
      </div>
      <div className={css.detailBody}>{room ? <RoomDetail room={conversation} /> : <PersonDetail id={conversation.id} />}</div>
    </aside>
  );
}

function PersonDetail({ id }: { id: string }) {
  const { t } = useTexts();
  const person = usePerson(id);
  if (!person) return <p>{id}</p>;
  return (
    <>
      <div className={css.center}>
        <Avatar person={person} size={96} presence={person.presence} plain />
        <h3>
          <bdi>{person.name}</bdi>
        </h3>
        {person.title && <p>{[person.title, person.department].filter(Boolean).join(" · ")}</p>}
        <PresenceWords presence={person.presence} />
      </div>
      <NumberList person={person} />
      <Button onClick={() => go("contacts", id)}>{t("contact.show")}</Button>
    </>
  );
}

function MemberRow({ member }: { member: Member }) {
  const { t } = useTexts();
  const known = usePerson(member.id);
  const me = useMe();
  const person = member.id === me?.id ? me : known;
  return (
    <li>
      <Avatar person={person ?? member} size={36} presence={person?.presence} />
      <span>
        <bdi className={css.memberName}>{person?.name ?? member.name}</bdi>
        <small>
          {person ? <PresenceWords presence={person.presence} status={false} /> : t(member.here ? "room.here" : "room.away")}
          {member.role !== "member" && <span>{t(`role.${member.role}`)}</span>}
        </small>
      </span>
    </li>
  );
}

function RoomDetail({ room }: { room: Conversation }) {
  const { t } = useTexts();
  const engine = useEngine();
  const me = useMe();
  const [dialog, setDialog] = useState<"" | "invite" | "rename" | "leave">("");
  const close = () => setDialog("");
  const own = room.members.find((member) => member.id === me?.id);
  const sorted = [...room.members].sort((a, b) => Number(b.here) - Number(a.here) || a.name.localeCompare(b.name));
  return (
    <>
      <h3 className="sr-only">{t("room.people", { count: room.members.length })}</h3>
      <ul className={css.members}>
        {sorted.map((member) => (
          <MemberRow key={member.id} member={member} />
        ))}
      </ul>
      <div className={css.tall}>
        <Button icon={<PeopleAdd20Regular />} onClick={() => setDialog("invite")}>
          {t("room.invite")}
        </Button>
        {(own?.role === "owner" || own?.role === "moderator") && (
          <Button icon={<Edit20Regular />} onClick={() => setDialog("rename")}>
            {t("room.rename")}
          </Button>
        )}
        <Button icon={<SignOut20Regular className="flip" />} onClick={() => setDialog("leave")}>
          {t("room.leave")}
        </Button>
      </div>
      {dialog === "invite" && (
        <PeopleDialog
          title={t("room.invite")}
          action={t("room.inviteAction")}
          without={room.members.map((member) => member.id)}
          named={false}
          least={1}
          onDone={async (people) => {
            await engine.inviteToRoom(room.id, people);
          }}
          onClose={close}
        />
      )}
      {dialog === "rename" && (
        <TextDialog title={t("room.rename")} label={t("room.title")} value={room.title} onClose={close} onDone={(title) => engine.renameRoom(room.id, title)} />
      )}
      {dialog === "leave" && (
        <ConfirmDialog
          title={t("room.leave.ask", { room: room.title })}
          text={t("room.leave.text")}
          yes={t("room.leave")}
          no={t("stay")}
          onClose={close}
          onDone={async () => {
            await engine.leaveRoom(room.id);
            go("chats");
          }}
        />
      )}
    </>
  );
}
