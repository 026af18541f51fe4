-- Who may do what, in one list, with every table in it.

CREATE FUNCTION convene_private.api_grants() RETURNS TABLE (object text, audience text, privileges text)
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    -- Audience anon includes authenticated, and that includes service. EXECUTE: a function; USAGE: a schema; a list after
    -- a table: columns.
    VALUES
    ('convene', 'anon', 'USAGE'),
    ('convene_private', 'service', 'USAGE'),

    -- Nobody writes scores, models, counts, queue or history but functions.
    ('convene.schema_version', 'service', 'SELECT'),
    ('convene.settings', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.embedding_models', 'authenticated', 'SELECT'),
    ('convene.embedding_models', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.scoring_weights', 'authenticated', 'SELECT'),
    ('convene.scoring_weights', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.embedding_queue', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.outbox', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.job_runs', 'service', 'SELECT, INSERT, UPDATE, DELETE'),

    -- Identity.
    ('convene.profiles', 'authenticated', 'SELECT'),
    ('convene.profiles('
        'id,full_name,avatar_url,phone,job_title,company_name,bio,website_url,linkedin_url,locale)', 'authenticated', 'INSERT'),
    ('convene.profiles('
        'full_name,avatar_url,phone,job_title,company_name,bio,website_url,linkedin_url,locale)', 'authenticated', 'UPDATE'),
    ('convene.profiles', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.organizations', 'authenticated', 'SELECT'),
    ('convene.organizations', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.organization_members', 'authenticated', 'SELECT'),
    ('convene.organization_members', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.roles', 'authenticated', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.roles', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    -- Not what belongs to signing in: password_hash, failed_login_attempts, locked_until.
    ('convene.users('
        'id,organization_id,profile_id,username,first_name,last_name,email,phone,last_login_at,role_id,department,'
        'manager_id,status,timezone,language,notification_preferences,created_at,updated_at)', 'authenticated', 'SELECT'),
    ('convene.users('
        'id,organization_id,profile_id,username,first_name,last_name,email,phone,role_id,department,manager_id,status,'
        'timezone,language,notification_preferences)', 'authenticated', 'INSERT'),
    ('convene.users('
        'profile_id,username,first_name,last_name,email,phone,role_id,department,manager_id,status,'
        'timezone,language,notification_preferences)', 'authenticated', 'UPDATE'),
    ('convene.users', 'authenticated', 'DELETE'),
    ('convene.users', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.person_blocks', 'authenticated', 'SELECT, INSERT, DELETE'),
    ('convene.person_blocks', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.person_reports', 'authenticated', 'SELECT'),
    ('convene.person_reports(event_id,reporter_profile,reported_profile,reason,details)', 'authenticated', 'INSERT'),
    ('convene.person_reports(status,handled_by,handled_at)', 'authenticated', 'UPDATE'),
    ('convene.person_reports', 'service', 'SELECT, INSERT, UPDATE, DELETE'),

    -- Events.
    ('convene.venues', 'anon', 'SELECT'),
    ('convene.venues', 'authenticated', 'INSERT, UPDATE, DELETE'),
    ('convene.venues', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.events', 'anon', 'SELECT'),
    ('convene.events', 'authenticated', 'INSERT, UPDATE, DELETE'),
    ('convene.events', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.speakers('
        'id,event_id,event_public,full_name,bio,expertise_areas,years_experience,certifications,presentation_title,'
        'presentation_description,presentation_duration,website_url,linkedin_url,twitter_handle,'
        'company_affiliation,headshot_url,bio_image_url,video_intro_url,status,created_at,updated_at)', 'anon', 'SELECT'),
    ('convene.speakers', 'authenticated', 'INSERT, UPDATE, DELETE'),
    ('convene.speakers', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.sessions', 'anon', 'SELECT'),
    ('convene.sessions('
        'id,event_id,speaker_id,venue_id,title,description,session_type,difficulty_level,topics,room,start_time,'
        'end_time,max_attendees,registration_required,registration_deadline,waitlist_enabled,materials_urls,'
        'recording_url,chat_enabled,qa_enabled,status)', 'authenticated', 'INSERT'),
    ('convene.sessions('
        'event_id,speaker_id,venue_id,title,description,session_type,difficulty_level,topics,room,start_time,'
        'end_time,max_attendees,registration_required,registration_deadline,waitlist_enabled,materials_urls,'
        'recording_url,chat_enabled,qa_enabled,status)', 'authenticated', 'UPDATE'),
    ('convene.sessions', 'authenticated', 'DELETE'),
    ('convene.sessions', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.event_revisions', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.attendees', 'authenticated', 'SELECT'),
    ('convene.attendees('
        'id,event_id,profile_id,contact_id,full_name,email,job_title,company_name,status)', 'authenticated', 'INSERT'),
    ('convene.attendees(full_name,email,job_title,company_name,status,sponsor_consent)', 'authenticated', 'UPDATE'),
    ('convene.attendees', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.event_materials', 'anon', 'SELECT'),
    ('convene.event_materials', 'authenticated', 'INSERT, UPDATE, DELETE'),
    ('convene.event_materials', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.event_announcements('
        'id,event_id,session_id,title,content,priority,target_audience,sent_at,status,created_at,updated_at)', 'anon', 'SELECT'),
    ('convene.event_announcements', 'authenticated', 'SELECT'),
    ('convene.event_announcements('
        'id,event_id,session_id,author_id,title,content,priority,target_audience,target_segments,delivery_method,'
        'scheduled_for,status)', 'authenticated', 'INSERT'),
    ('convene.event_announcements('
        'session_id,author_id,title,content,priority,target_audience,target_segments,delivery_method,scheduled_for,'
        'status)', 'authenticated', 'UPDATE'),
    ('convene.event_announcements', 'authenticated', 'DELETE'),
    ('convene.event_announcements', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.event_feedback', 'authenticated', 'SELECT'),
    ('convene.event_feedback('
        'event_id,session_id,attendee_id,overall_rating,content_rating,speaker_rating,venue_rating,'
        'organization_rating,value_rating,comments,suggestions,best_aspects,improvement_areas,would_recommend,'
        'would_attend_again,session_rating,session_comments,is_anonymous)', 'authenticated', 'INSERT'),
    ('convene.event_feedback('
        'event_id,session_id,attendee_id,overall_rating,content_rating,speaker_rating,venue_rating,'
        'organization_rating,value_rating,comments,suggestions,best_aspects,improvement_areas,would_recommend,'
        'would_attend_again,session_rating,session_comments,is_anonymous)', 'authenticated', 'UPDATE'),
    ('convene.event_feedback', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.event_analytics', 'authenticated', 'SELECT'),
    ('convene.event_analytics', 'service', 'SELECT, INSERT, UPDATE, DELETE'),

    -- CRM. Scores, and what became of a mailing, are written by functions; who made a record is settled when it is made. An
    -- upsert names id and organization_id in its UPDATE; neither changes.
    ('convene.companies', 'authenticated', 'SELECT, INSERT, DELETE'),
    ('convene.companies('
        'id,organization_id,name,legal_name,industry,company_size,website,phone,email,address_line1,'
        'address_line2,city,state_province,postal_code,country,annual_revenue,employee_count,'
        'founded_year,tax_id,account_type,priority,primary_contact_id,assigned_to)', 'authenticated', 'UPDATE'),
    ('convene.companies', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.contacts', 'authenticated', 'SELECT, DELETE'),
    ('convene.contacts('
        'id,organization_id,created_by,profile_id,first_name,last_name,email,phone,date_of_birth,'
        'gender,address_line1,address_line2,city,state_province,postal_code,country,contact_type,'
        'lead_source,status,job_title,company_id,industry,annual_income_range,marketing_consent,'
        'email_consent,sms_consent,phone_consent,assigned_to,last_contacted_at,last_event_attended_at)', 'authenticated', 'INSERT'),
    ('convene.contacts('
        'id,organization_id,profile_id,first_name,last_name,email,phone,date_of_birth,gender,'
        'address_line1,address_line2,city,state_province,postal_code,country,contact_type,lead_source,'
        'status,job_title,company_id,industry,annual_income_range,marketing_consent,email_consent,'
        'sms_consent,phone_consent,assigned_to,last_contacted_at,last_event_attended_at)', 'authenticated', 'UPDATE'),
    ('convene.contacts', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.leads', 'authenticated', 'SELECT, DELETE'),
    ('convene.leads('
        'id,organization_id,created_by,contact_id,company_id,event_id,lead_source,lead_status,'
        'estimated_value,currency,probability_percentage,expected_close_date,assigned_to,budget_range,'
        'decision_timeline,decision_makers,pain_points,requirements)', 'authenticated', 'INSERT'),
    ('convene.leads('
        'id,organization_id,contact_id,company_id,event_id,lead_source,lead_status,estimated_value,'
        'currency,probability_percentage,expected_close_date,assigned_to,budget_range,decision_timeline,'
        'decision_makers,pain_points,requirements)', 'authenticated', 'UPDATE'),
    ('convene.leads', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.opportunities', 'authenticated', 'SELECT, INSERT, DELETE'),
    ('convene.opportunities('
        'id,organization_id,lead_id,contact_id,company_id,event_id,name,description,stage,amount,'
        'currency,probability,expected_close_date,actual_close_date,sales_methodology,competitor,'
        'win_reason,loss_reason,assigned_to)', 'authenticated', 'UPDATE'),
    ('convene.opportunities', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.interactions', 'authenticated', 'SELECT, INSERT, DELETE'),
    ('convene.interactions('
        'id,organization_id,contact_id,company_id,event_id,opportunity_id,interaction_type,subject,'
        'content,direction,scheduled_at,occurred_at,duration_minutes,outcome,next_action,'
        'next_action_date)', 'authenticated', 'UPDATE'),
    ('convene.interactions', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.campaigns', 'authenticated', 'SELECT, INSERT, DELETE'),
    ('convene.campaigns('
        'id,organization_id,event_id,name,description,campaign_type,start_date,end_date,status,'
        'budget,currency,cost_per_click,cost_per_impression,cost_per_acquisition,target_audience,'
        'creative_assets,automation_rules,assigned_to)', 'authenticated', 'UPDATE'),
    ('convene.campaigns', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.tasks', 'authenticated', 'SELECT, INSERT, DELETE'),
    ('convene.tasks('
        'id,organization_id,title,description,task_type,priority,due_date,completed_at,status,'
        'assigned_to,contact_id,company_id,opportunity_id,event_id,reminder_sent,reminder_date)', 'authenticated', 'UPDATE'),
    ('convene.tasks', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.notes', 'authenticated', 'SELECT, INSERT, DELETE'),
    ('convene.notes('
        'id,organization_id,title,content,note_type,is_private,is_important,contact_id,company_id,'
        'opportunity_id,event_id,interaction_id)', 'authenticated', 'UPDATE'),
    ('convene.notes', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.campaign_recipients', 'authenticated', 'SELECT, DELETE'),
    ('convene.campaign_recipients(id,organization_id,campaign_id,contact_id)', 'authenticated', 'INSERT'),
    ('convene.campaign_recipients', 'service', 'SELECT, INSERT, UPDATE, DELETE'),

    -- Ticketing. Counts, what was bought and what was earned are written by functions.
    ('convene.ticket_types', 'anon', 'SELECT'),
    ('convene.ticket_types('
        'id,event_id,name,description,ticket_category,price,currency,tax_rate,total_capacity,min_per_order,'
        'max_per_order,sale_start_date,sale_end_date,features,benefits,is_transferable,status)', 'authenticated', 'INSERT'),
    ('convene.ticket_types('
        'name,description,ticket_category,price,currency,tax_rate,total_capacity,min_per_order,max_per_order,'
        'sale_start_date,sale_end_date,features,benefits,is_transferable,status)', 'authenticated', 'UPDATE'),
    ('convene.ticket_types', 'authenticated', 'DELETE'),
    ('convene.ticket_types', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.bundles', 'anon', 'SELECT'),
    ('convene.bundles('
        'id,event_id,name,description,bundle_type,price,currency,discount_amount,discount_percentage,'
        'total_quantity,sale_start_date,sale_end_date,benefits,exclusive_access,status)', 'authenticated', 'INSERT'),
    ('convene.bundles('
        'name,description,bundle_type,price,currency,discount_amount,discount_percentage,total_quantity,'
        'sale_start_date,sale_end_date,benefits,exclusive_access,status)', 'authenticated', 'UPDATE'),
    ('convene.bundles', 'authenticated', 'DELETE'),
    ('convene.bundles', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.bundle_items', 'anon', 'SELECT'),
    ('convene.bundle_items(id,bundle_id,event_id,ticket_type_id,quantity,included_features)', 'authenticated', 'INSERT'),
    ('convene.bundle_items(bundle_id,ticket_type_id,quantity,included_features)', 'authenticated', 'UPDATE'),
    ('convene.bundle_items', 'authenticated', 'DELETE'),
    ('convene.bundle_items', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.seat_maps', 'anon', 'SELECT'),
    ('convene.seat_maps('
        'id,event_id,venue_id,name,description,map_type,svg_content,map_image_url,total_capacity,rows,'
        'seats_per_row,seat_pricing,section_names)', 'authenticated', 'INSERT'),
    ('convene.seat_maps('
        'venue_id,name,description,map_type,svg_content,map_image_url,total_capacity,rows,seats_per_row,'
        'seat_pricing,section_names)', 'authenticated', 'UPDATE'),
    ('convene.seat_maps', 'authenticated', 'DELETE'),
    ('convene.seat_maps', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.seat_assignments', 'authenticated', 'SELECT'),
    ('convene.seat_assignments('
        'id,seat_map_id,event_id,ticket_id,attendee_id,row_number,seat_number,section_name,seat_label,assigned_at,'
        'assigned_by,accessibility_needs,dietary_restrictions)', 'authenticated', 'INSERT'),
    ('convene.seat_assignments('
        'seat_map_id,ticket_id,attendee_id,row_number,seat_number,section_name,seat_label,assigned_at,assigned_by,'
        'accessibility_needs,dietary_restrictions)', 'authenticated', 'UPDATE'),
    ('convene.seat_assignments', 'authenticated', 'DELETE'),
    ('convene.seat_assignments', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.vouchers', 'authenticated', 'SELECT'),
    ('convene.vouchers('
        'id,organization_id,event_id,created_by,code,name,description,discount_type,discount_value,'
        'max_discount_amount,min_purchase_amount,currency,usage_limit,usage_limit_per_customer,valid_from,valid_to,'
        'applicable_ticket_types,customer_restrictions,status)', 'authenticated', 'INSERT'),
    ('convene.vouchers('
        'event_id,created_by,code,name,description,discount_type,discount_value,max_discount_amount,'
        'min_purchase_amount,currency,usage_limit,usage_limit_per_customer,valid_from,valid_to,'
        'applicable_ticket_types,customer_restrictions,status)', 'authenticated', 'UPDATE'),
    ('convene.vouchers', 'authenticated', 'DELETE'),
    ('convene.vouchers', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.promoters('
        'id,organization_id,contact_id,promoter_code,company_name,phone,email,address,commission_type,'
        'commission_rate,commission_cap,currency,total_sales,total_commission,total_events,status,permissions,'
        'assigned_to,created_at,updated_at)', 'authenticated', 'SELECT'),
    ('convene.promoters('
        'id,organization_id,contact_id,promoter_code,company_name,tax_id,phone,email,address,commission_type,'
        'commission_rate,commission_cap,currency,status,permissions,assigned_to)', 'authenticated', 'INSERT'),
    ('convene.promoters('
        'contact_id,promoter_code,company_name,tax_id,phone,email,address,commission_type,commission_rate,'
        'commission_cap,currency,status,permissions,assigned_to)', 'authenticated', 'UPDATE'),
    ('convene.promoters', 'authenticated', 'DELETE'),
    ('convene.promoters', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.promoter_commissions', 'authenticated', 'SELECT'),
    ('convene.promoter_commissions', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    -- Not the keys of the payment, nor what the organizer notes.
    ('convene.orders('
        'id,event_id,organization_id,order_number,profile_id,contact_id,opportunity_id,buyer_name,buyer_email,'
        'buyer_phone,billing_address,channel,status,currency,subtotal_cents,discount_cents,tax_cents,total_cents,'
        'refunded_cents,promoter_id,payment_method,expires_at,paid_at,cancelled_at,refunded_at,disputed_at,'
        'status_reason,created_at,updated_at)', 'authenticated', 'SELECT'),
    ('convene.orders', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.order_items', 'authenticated', 'SELECT'),
    ('convene.order_items', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    -- Not qr_token, which lets in whoever shows it.
    ('convene.tickets('
        'id,event_id,ticket_type_id,order_id,order_item_id,attendee_id,holder_name,holder_email,qr_issued_at,'
        'status,paid_cents,refunded_cents,used_at,refunded_at,transferred_at,transfer_count,'
        'created_at,updated_at)', 'authenticated', 'SELECT'),
    ('convene.tickets', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.voucher_redemptions', 'authenticated', 'SELECT'),
    ('convene.voucher_redemptions', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.check_ins('
        'id,event_id,attendee_id,ticket_id,checked_in_at,checked_out_at,check_in_method,check_in_location,'
        'validated_by,validation_notes,duration_minutes,is_present,'
        'created_at,updated_at)', 'authenticated', 'SELECT'),
    ('convene.check_ins', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.waitlist_entries', 'authenticated', 'SELECT'),
    ('convene.waitlist_entries', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.session_registrations', 'authenticated', 'SELECT'),
    ('convene.session_registrations', 'service', 'SELECT, INSERT, UPDATE, DELETE'),

    -- Recommendation. attendee_id and event_id may be named in an UPDATE because an upsert does; a trigger refuses to change them.
    ('convene.attendee_preferences', 'authenticated', 'SELECT'),
    ('convene.attendee_preferences('
        'attendee_id,event_id,preferred_topics,preferred_formats,industry_interests,skill_level,'
        'browsed_sessions,bookmarked_sessions,attended_sessions,interaction_history,recommendation_enabled,'
        'notification_preferences)', 'authenticated', 'INSERT'),
    ('convene.attendee_preferences('
        'attendee_id,event_id,preferred_topics,preferred_formats,industry_interests,skill_level,'
        'browsed_sessions,bookmarked_sessions,attended_sessions,interaction_history,recommendation_enabled,'
        'notification_preferences)', 'authenticated', 'UPDATE'),
    ('convene.attendee_preferences', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.session_interactions', 'authenticated', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.session_interactions', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.session_embeddings', 'anon', 'SELECT'),
    ('convene.session_embeddings', 'authenticated', 'INSERT, UPDATE, DELETE'),
    ('convene.session_embeddings', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.session_weights', 'authenticated', 'SELECT'),
    ('convene.session_weights', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.recommendation_models', 'authenticated', 'SELECT'),
    ('convene.recommendation_models', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.event_popularity', 'authenticated', 'SELECT'),
    ('convene.event_popularity', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.recommendation_cache', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.recommendation_history', 'authenticated', 'SELECT'),
    ('convene.recommendation_history', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.experiments', 'authenticated', 'SELECT'),
    ('convene.experiments', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.experiment_variants', 'authenticated', 'SELECT'),
    ('convene.experiment_variants', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.experiment_assignments', 'service', 'SELECT, INSERT, UPDATE, DELETE'),

    -- Networking.
    ('convene.networking_preferences', 'authenticated', 'SELECT'),
    ('convene.networking_preferences('
        'attendee_id,event_id,looking_for,can_offer,industry,company_stage,role_category,years_experience,'
        'prefer_same_industry,prefer_complementary_skills,meeting_duration_preference,max_meetings_per_day,'
        'availability_slots,networking_enabled,auto_accept_matches)', 'authenticated', 'INSERT'),
    ('convene.networking_preferences('
        'attendee_id,event_id,looking_for,can_offer,industry,company_stage,role_category,years_experience,'
        'prefer_same_industry,prefer_complementary_skills,meeting_duration_preference,max_meetings_per_day,'
        'availability_slots,networking_enabled,auto_accept_matches)', 'authenticated', 'UPDATE'),
    ('convene.networking_preferences', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.goal_complements', 'authenticated', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.goal_complements', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    -- Not what one of the two keeps to themselves: feedback, notes, who it was that declined.
    ('convene.matches('
        'id,event_id,attendee_1_id,attendee_2_id,compatibility_score,score_1,score_2,coverage,score_parts,'
        'matching_algorithm,match_reasons,status,suggested_at,times_suggested,accepted_at,declined_at,expires_at,'
        'meeting_scheduled,meeting_id,created_at,updated_at)', 'authenticated', 'SELECT'),
    ('convene.matches', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.meetings('
        'id,event_id,match_id,attendee_1_id,attendee_2_id,title,meeting_type,scheduled_start,scheduled_end,'
        'duration_minutes,location_type,location_details,place,status,proposed_by,expires_at,reminder_sent_1,'
        'reminder_sent_2,completed_at,cancelled_at,cancelled_by,follow_up_requested_1,follow_up_requested_2,'
        'created_at,updated_at)', 'authenticated', 'SELECT'),
    ('convene.meetings', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.meeting_bookings', 'authenticated', 'SELECT'),
    ('convene.meeting_bookings', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.meeting_places', 'authenticated', 'SELECT'),
    ('convene.meeting_places', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.meeting_day_counts', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.meeting_schedule_drafts', 'authenticated', 'SELECT'),
    ('convene.meeting_schedule_drafts', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.networking_connections', 'authenticated', 'SELECT'),
    ('convene.networking_connections', 'service', 'SELECT, INSERT, UPDATE, DELETE'),

    -- Peers. Consent is in no INSERT: only the contractor gives it, by an UPDATE.
    ('convene.contractors', 'authenticated', 'SELECT'),
    ('convene.contractors('
        'profile_id,first_name,last_name,company_name,email,phone,city,state,focus_areas,services_offered,revenue_tier,'
        'team_size,years_in_business,technology_stack,disc_style,cross_event_opt_in)', 'authenticated', 'INSERT'),
    ('convene.contractors('
        'first_name,last_name,company_name,email,phone,city,state,focus_areas,services_offered,revenue_tier,'
        'team_size,years_in_business,technology_stack,disc_style,cross_event_opt_in)', 'authenticated', 'UPDATE'),
    ('convene.contractors', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.event_attendees', 'authenticated', 'SELECT'),
    ('convene.event_attendees(event_id,contractor_id,attendee_id,checked_in_at)', 'authenticated', 'INSERT'),
    ('convene.event_attendees(attendee_id,checked_in_at,peer_matching_opt_in,muted_until)', 'authenticated', 'UPDATE'),
    ('convene.event_attendees', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.event_peer_matches('
        'id,event_id,contractor1_id,contractor2_id,match_type,match_criteria,match_score,match_reason,'
        'introduction_sent_time,contractor1_response,contractor2_response,contractor1_responded_at,'
        'contractor2_responded_at,contacts_exchanged_at,connection_made,meeting_scheduled,meeting_time,'
        'meeting_location,pcr_score,created_at,updated_at)', 'authenticated', 'SELECT'),
    ('convene.event_peer_matches', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.service_families', 'authenticated', 'SELECT'),
    ('convene.service_families', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.message_templates', 'authenticated', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.message_templates', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.peer_messages', 'authenticated', 'SELECT'),
    ('convene.peer_messages', 'service', 'SELECT, INSERT, UPDATE, DELETE'),

    -- Sponsorship. Of sponsors not the organizer's notes and forecast, which the sponsor would read as well.
    ('convene.sponsors('
        'id,organization_id,event_id,profile_id,company_id,contact_id,company_name,company_website,industry,company_size,'
        'brand_values,primary_contact_name,primary_contact_email,primary_contact_phone,sponsorship_tier,package_id,'
        'contract_value,sponsorship_amount,currency,contract_signed,contract_signed_date,contract_url,payment_schedule,'
        'status,payment_status,fulfilment_status,benefits_included,deliverables,logo_placement,speaking_opportunities,'
        'logo_url,website_url,marketing_materials,social_media_links,total_leads_collected,total_booth_visits,'
        'total_interactions,engagement_score,projected_roi,actual_roi,satisfaction_score,assigned_to,tags,custom_fields,'
        'created_at,updated_at)', 'authenticated', 'SELECT'),
    ('convene.sponsors('
        'id,event_id,profile_id,company_id,contact_id,company_name,company_website,industry,company_size,'
        'brand_values,primary_contact_name,primary_contact_email,primary_contact_phone,sponsorship_tier,package_id,'
        'contract_value,sponsorship_amount,currency,contract_signed,contract_signed_date,contract_url,payment_schedule,'
        'status,payment_status,fulfilment_status,benefits_included,deliverables,logo_placement,speaking_opportunities,'
        'logo_url,website_url,marketing_materials,social_media_links,assigned_to,notes,tags,custom_fields)',
        'authenticated', 'INSERT'),
    ('convene.sponsors('
        'profile_id,company_id,contact_id,company_name,company_website,industry,company_size,'
        'brand_values,primary_contact_name,primary_contact_email,primary_contact_phone,sponsorship_tier,package_id,'
        'contract_value,sponsorship_amount,currency,contract_signed,contract_signed_date,contract_url,payment_schedule,'
        'status,payment_status,fulfilment_status,benefits_included,deliverables,logo_placement,speaking_opportunities,'
        'logo_url,website_url,marketing_materials,social_media_links,assigned_to,notes,tags,custom_fields)',
        'authenticated', 'UPDATE'),
    ('convene.sponsors', 'authenticated', 'DELETE'),
    ('convene.sponsors', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    -- sponsor_id, and event_id below, for upserts, as above.
    ('convene.sponsor_profiles', 'authenticated', 'SELECT'),
    ('convene.sponsor_profiles('
        'sponsor_id,industry,company_size,annual_budget_cents,currency,brand_objectives,target_audience,ideal_customer,'
        'preferred_categories,regions,objectives_embedding,embedding_model,objectives_text)', 'authenticated', 'INSERT'),
    ('convene.sponsor_profiles('
        'sponsor_id,industry,company_size,annual_budget_cents,currency,brand_objectives,target_audience,ideal_customer,'
        'preferred_categories,regions,objectives_embedding,embedding_model,objectives_text)', 'authenticated', 'UPDATE'),
    ('convene.sponsor_profiles', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.sponsorship_packages', 'anon', 'SELECT'),
    ('convene.sponsorship_packages('
        'id,event_id,package_name,tier,package_type,price_cents,currency,benefits,deliverables,total_available,status,'
        'priority,description,highlights)', 'authenticated', 'INSERT'),
    ('convene.sponsorship_packages('
        'package_name,tier,package_type,price_cents,currency,benefits,deliverables,total_available,status,'
        'priority,description,highlights)', 'authenticated', 'UPDATE'),
    ('convene.sponsorship_packages', 'authenticated', 'DELETE'),
    ('convene.sponsorship_packages', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.event_sponsorships', 'authenticated', 'SELECT'),
    ('convene.event_sponsorships(id,event_id,sponsor_id,package_id,status,amount_cents,currency,cancellation_reason)',
     'authenticated', 'INSERT'),
    ('convene.event_sponsorships(package_id,status,amount_cents,currency,cancellation_reason)', 'authenticated', 'UPDATE'),
    ('convene.event_sponsorships', 'authenticated', 'DELETE'),
    ('convene.event_sponsorships', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.event_audience_insights', 'authenticated', 'SELECT'),
    ('convene.event_audience_insights', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.event_embeddings', 'anon', 'SELECT'),
    ('convene.event_embeddings(event_id,embedding,source_text,embedding_model)', 'authenticated', 'INSERT'),
    ('convene.event_embeddings(event_id,embedding,source_text,embedding_model)', 'authenticated', 'UPDATE'),
    ('convene.event_embeddings', 'authenticated', 'DELETE'),
    ('convene.event_embeddings', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.sponsorship_matches', 'authenticated', 'SELECT'),
    ('convene.sponsorship_matches', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.fit_recalc_queue', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.fit_revisions', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.event_quality_scores', 'authenticated', 'SELECT'),
    ('convene.event_quality_scores', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.sponsor_event_fit_scores', 'authenticated', 'SELECT'),
    ('convene.sponsor_event_fit_scores', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.mv_refresh_log', 'service', 'SELECT, INSERT, UPDATE, DELETE'),

    -- The marketplace. Views ask as the one who reads, so they show what the tables beneath do.
    ('convene.sponsor_cards', 'authenticated', 'SELECT'),
    ('convene.sponsor_cards', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.marketplace_days', 'authenticated', 'SELECT'),
    ('convene.marketplace_days', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.v_event_performance_summary', 'authenticated', 'SELECT'),
    ('convene.v_event_performance_summary', 'service', 'SELECT'),
    ('convene.v_sponsor_recommendations', 'authenticated', 'SELECT'),
    ('convene.v_sponsor_recommendations', 'service', 'SELECT'),
    ('convene.v_event_recommendations', 'authenticated', 'SELECT'),
    ('convene.v_event_recommendations', 'service', 'SELECT'),
    ('convene.v_sponsorship_package_cards', 'authenticated', 'SELECT'),
    ('convene.v_sponsorship_package_cards', 'service', 'SELECT'),
    ('convene.v_sponsor_marketplace', 'authenticated', 'SELECT'),
    ('convene.v_sponsor_marketplace', 'service', 'SELECT'),
    ('convene.v_event_marketplace', 'authenticated', 'SELECT'),
    ('convene.v_event_marketplace', 'service', 'SELECT'),
    ('convene.v_semantic_event_recommendations', 'authenticated', 'SELECT'),
    ('convene.v_semantic_event_recommendations', 'service', 'SELECT'),
    ('convene.v_semantic_sponsor_recommendations', 'authenticated', 'SELECT'),
    ('convene.v_semantic_sponsor_recommendations', 'service', 'SELECT'),
    ('convene.v_marketplace_analytics', 'authenticated', 'SELECT'),
    ('convene.v_marketplace_analytics', 'service', 'SELECT'),

    -- Signals.
    ('convene.event_signal_deltas', 'service', 'SELECT'),
    ('convene.event_signal_totals', 'service', 'SELECT'),
    ('convene.event_signal_months', 'service', 'SELECT'),
    ('convene.event_impressions', 'authenticated', 'SELECT'),
    ('convene.event_impressions', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.ticket_analytics', 'authenticated', 'SELECT'),
    ('convene.ticket_analytics', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.post_views', 'authenticated', 'SELECT'),
    ('convene.post_views', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.event_video_counters', 'authenticated', 'SELECT'),
    ('convene.event_video_counters', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.event_impressions_p', 'authenticated', 'SELECT'),
    ('convene.event_impressions_p', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.ticket_analytics_p', 'authenticated', 'SELECT'),
    ('convene.ticket_analytics_p', 'service', 'SELECT, INSERT, UPDATE, DELETE'),

    -- Leads. Not what passes between sponsor and attendee, nor the sponsor's notes: the organizer reads these rows.
    ('convene.models', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.lead_scoring('
        'id,event_id,organization_id,sponsor_id,attendee_id,lead_score,lead_grade,engagement_score,fit_score,intent_score,'
        'fit_assumed,'
        'score_parts,model_id,booth_visits,content_downloads,session_attendance,messages_exchanged,meeting_requested,'
        'first_interaction_at,last_interaction_at,interaction_count,status,closed_at,consented,crm_sync_status,tags,'
        'created_at,updated_at)', 'authenticated', 'SELECT'),
    ('convene.lead_scoring', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.lead_interactions(id,event_id,sponsor_id,attendee_id,kind,at,badge_shown,created_at)', 'authenticated', 'SELECT'),
    ('convene.lead_interactions', 'service', 'SELECT, INSERT'),
    ('convene.crm_sync_queue', 'service', 'SELECT, INSERT, UPDATE, DELETE'),

    -- Money. Of an order not what is between platform and organization, nor what only Stripe's answers are matched by.
    ('convene.payout_configurations', 'authenticated', 'SELECT'),
    ('convene.payout_configurations', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.sponsorship_orders('
        'id,package_id,sponsor_id,event_id,organization_id,amount_cents,currency,refunded_cents,status,status_reason,'
        'cancel_reason,transfer_group,payment_error,reserved_until,paid_at,fulfilled_at,cancelled_at,refunded_at,'
        'disputed_at,created_at,updated_at)', 'authenticated', 'SELECT'),
    ('convene.sponsorship_orders', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.sponsorship_deliverables', 'authenticated', 'SELECT'),
    ('convene.sponsorship_deliverables', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.sponsorship_payouts', 'authenticated', 'SELECT'),
    ('convene.sponsorship_payouts', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.payout_queue', 'service', 'SELECT, INSERT, UPDATE, DELETE'),
    ('convene.stripe_events', 'service', 'SELECT, INSERT, UPDATE'),
    ('convene.ledger', 'service', 'SELECT, INSERT'),

    -- Audit. Triggers write it.
    ('convene.audit_log', 'service', 'SELECT'),

    -- Functions that policies and defaults call as the caller.
    ('convene_private.my_profile_id()', 'authenticated', 'EXECUTE'),
    ('convene_private.my_attendee_ids()', 'authenticated', 'EXECUTE'),
    ('convene_private.my_analysed_event_ids()', 'authenticated', 'EXECUTE'),
    ('convene_private.my_order_ids()', 'authenticated', 'EXECUTE'),
    ('convene_private.my_promoter_ids()', 'authenticated', 'EXECUTE'),
    ('convene_private.minor_units(text)', 'authenticated', 'EXECUTE'),
    ('convene_private.my_attended_event_ids()', 'anon', 'EXECUTE'),
    ('convene_private.my_organization_ids()', 'anon', 'EXECUTE'),
    ('convene_private.my_owned_organization_ids()', 'authenticated', 'EXECUTE'),
    ('convene_private.my_permitted_organization_ids(text,text)', 'authenticated', 'EXECUTE'),
    ('convene_private.my_own_records_organization_ids(text,text)', 'authenticated', 'EXECUTE'),
    ('convene_private.my_records_organization_ids(text,text)', 'authenticated', 'EXECUTE'),
    ('convene_private.my_team_only(text,text)', 'authenticated', 'EXECUTE'),
    ('convene_private.my_user_ids()', 'authenticated', 'EXECUTE'),
    ('convene_private.my_team_user_ids()', 'authenticated', 'EXECUTE'),
    ('convene_private.my_managed_organization_ids()', 'authenticated', 'EXECUTE'),
    ('convene_private.my_managed_event_ids()', 'authenticated', 'EXECUTE'),
    ('convene_private.my_staffed_event_ids()', 'anon', 'EXECUTE'),
    ('convene_private.my_sponsor_ids()', 'authenticated', 'EXECUTE'),
    ('convene_private.my_sponsored_event_ids()', 'anon', 'EXECUTE'),
    ('convene_private.my_market_sides()', 'authenticated', 'EXECUTE'),
    ('convene_private.my_staffed_sponsor_ids()', 'authenticated', 'EXECUTE'),
    ('convene_private.my_venue_ids()', 'anon', 'EXECUTE'),
    ('convene_private.public_venue_ids()', 'authenticated', 'EXECUTE'),
    ('convene_private.my_team_campaign_ids(text)', 'authenticated', 'EXECUTE'),
    ('convene_private.default_organization_id()', 'authenticated', 'EXECUTE'),
    ('convene_private.my_sponsorship_order_ids()', 'authenticated', 'EXECUTE'),
    ('convene_private.my_paid_event_ids()', 'authenticated', 'EXECUTE'),
    ('convene_private.my_contractor_ids()', 'authenticated', 'EXECUTE'),
    ('convene_private.my_shared_template_ids()', 'authenticated', 'EXECUTE'),
    ('convene_private.session_text(text,text,text[])', 'service', 'EXECUTE'),
    ('convene_private.enqueue_embedding(uuid[],integer)', 'service', 'EXECUTE'),
    ('convene_private.refresh_popularity(uuid)', 'service', 'EXECUTE')
$$;
COMMENT ON FUNCTION convene_private.api_grants() IS 'What the API roles are granted';

-- Roles get what the list says, and nothing from PUBLIC or from default privileges.
SELECT convene_private.revoke_all('FUNCTION', p.oid::regprocedure::text, coalesce(p.proacl, acldefault('f', p.proowner)), p.proowner)
FROM pg_proc p WHERE p.pronamespace = 'convene_private'::regnamespace;
SELECT convene_private.revoke_all('SCHEMA', 'convene_private', n.nspacl, n.nspowner)
FROM pg_namespace n WHERE n.nspname = 'convene_private';
SELECT convene_private.revoke_all('TABLE', c.oid::regclass::text, c.relacl, c.relowner)
FROM pg_class c
WHERE c.oid IN (SELECT to_regclass(g.object) FROM convene_private.api_grants() g)
   OR c.oid IN ('convene.mv_event_quality_scores'::regclass, 'convene.mv_sponsor_event_fit_scores'::regclass)
   OR c.oid IN (SELECT i.inhrelid FROM pg_inherits i JOIN convene_private.api_grants() g ON to_regclass(g.object) = i.inhparent);
